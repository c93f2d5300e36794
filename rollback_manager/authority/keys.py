"""The public halves of the keys that decisions are signed with. Pure, and without cryptography."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from rollback_manager.values import Value


def _is_a_key(public: str) -> str:
    try:
        raw = base64.urlsafe_b64decode(public + "=" * (-len(public) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError("not a public key: 32 bytes of Ed25519 in base64url, 43 characters")
    return public


class VerifyKey(Value):
    """One public key. kid: which one, as tokens name it. public: base64url of its 32 raw bytes."""

    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
    public: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$"), AfterValidator(_is_a_key)]


class Aim(Value):
    """What a decision is about. rid: id of the rollback; run: of its first execution."""

    rid: str
    run: str


class Seal(Value):
    """What decisions about one rollback must prove; without keys nothing.

    aud: the environment, as tokens name it. aims: the rollback itself, and the one that it is a
    part of. word: known to those who passed a decision on, after they had judged its time, and to
    nobody else who does not read the history.
    """

    keys: tuple[VerifyKey, ...] = ()
    aud: str = ""
    aims: tuple[Aim, ...] = ()
    word: str = ""


def unclear(keys: Sequence[VerifyKey]) -> Iterator[tuple[int, str]]:
    """(index, what is wrong) where two keys cannot be told apart."""
    for field, what in (("kid", "two keys have this kid"), ("public", "this key is there twice")):
        times = Counter(getattr(one, field) for one in keys)
        for index, one in enumerate(keys):
            if times[getattr(one, field)] > 1:
                yield index, f"{what}: {one.kid}"
