"""Bearer tokens by reference: what stands in the catalogue says where one is, and never what."""

import os
from pathlib import Path

from rollback_manager.errors import PermanentError

LONGEST_TOKEN = 16_384


def token_of(reference: str) -> str:
    """The token at `env:NAME` or `file:/PATH`, read anew each time, for it may be replaced.

    Raises PermanentError, which names the reference and nothing of the token.
    """
    kind, _, place = reference.partition(":")
    token = (_file(place) if kind == "file" else os.environ.get(place, "")).strip()
    if not token:
        raise _unusable(reference, "is empty or not set")
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > LONGEST_TOKEN:
        raise _unusable(reference, "holds something that is no token")
    return token


def _file(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_TOKEN + 2)
    except (OSError, ValueError) as error:
        because = getattr(error, "strerror", None) or "no path"
        raise _unusable(f"file:{path}", f"cannot be read: {because}") from None


def _unusable(reference: str, because: str) -> PermanentError:
    return PermanentError(
        f"the token at {reference} {because}",
        effect="Nothing was asked.",
        next_step="Put the token there for the worker's user, or correct `token` in the catalogue.",
    )
