"""Secrets by reference: what stands in settings and catalogue says where one is, never what.

    env:NAME                          a variable of the worker's environment
    file:/PATH                        a file that the worker may read
    aws:secretsmanager:ARN            AWS Secrets Manager
    kubernetes:NAMESPACE/NAME/KEY     one key of a Kubernetes Secret

Resolved where it is needed, anew each time, so that a secret that was replaced is used at once.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rollback_manager.errors import PermanentError
from rollback_manager.veil import VEIL

LONGEST_SECRET = 65_536
"""Characters; what AWS keeps at most, and more than any key or token has."""
NOTHING_DONE = "Nothing was done with it."


class SecretStore(Protocol):
    """Where secrets of one kind are kept."""

    def read(self, place: str) -> str:
        """The secret at the place that a reference names.

        Raises NoSecret where there is none, TemporaryError while the store does not answer. Neither
        says anything of the secret.
        """


class NoSecret(Exception):
    """Why there is no secret, in words without a subject: `is not set`."""


class Secrets:
    """Resolves references. stores: kinds besides `env` and `file`, by the word before the colon."""

    def __init__(self, stores: Mapping[str, SecretStore] | None = None) -> None:
        ours: dict[str, SecretStore] = {"env": Environment(), "file": Files()}
        self._stores = {**ours, **(stores or {})}

    def is_reference(self, text: str) -> bool:
        """Whether the text says where something is, by a kind that is known."""
        kind, colon, _ = text.partition(":")
        return bool(colon) and kind in self._stores

    def resolve(self, reference: str, what: str = "secret") -> str:
        """The secret, without white space around it.

        Raises PermanentError, which names `what` and the reference and nothing of the secret, or
        TemporaryError while a store does not answer.
        """
        kind, _, place = reference.partition(":")
        store = self._stores.get(kind)
        if store is None or not place:
            raise _unusable(f"the {what}", "is no reference to a secret", self._known())
        try:
            secret = store.read(place).strip()
        except NoSecret as why:
            raise _unusable(f"the {what} at {reference}", str(why)) from None
        if not secret or len(secret) > LONGEST_SECRET:
            why_not = "is too long" if secret else "is empty or not set"
            raise _unusable(f"the {what} at {reference}", why_not)
        return VEIL.remember(secret)

    def _known(self) -> str:
        return "Write where it is: " + ", ".join(f"{kind}:…" for kind in self._stores)


class Environment:
    """`env:NAME`"""

    def read(self, place: str) -> str:
        """The variable's value."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", place):
            raise NoSecret("names no variable")
        return os.environ.get(place, "")


class Files:
    """`file:/PATH`"""

    def read(self, place: str) -> str:
        """The file's text, up to what a secret may have."""
        try:
            with Path(place).open(encoding="utf-8", errors="replace") as file:
                return file.read(LONGEST_SECRET + 2)
        except (OSError, ValueError) as error:
            because = getattr(error, "strerror", None) or "no path"
            raise NoSecret(f"cannot be read: {because}") from None


def _unusable(what: str, because: str, next_step: str = "") -> PermanentError:
    return PermanentError(
        f"{what} {because}",
        effect=NOTHING_DONE,
        next_step=next_step or "Put it there for this user, or correct the reference.",
    )
