"""Whether what reached a rollback is a decision: signed, meant for it, not used yet. Pure."""

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from rollback_manager.authority.keys import Seal
from rollback_manager.authority.token import BadToken, Claims, Dec, Expected, verified

USED = "it was used before"
"""Why a decision does not count a second time: the first time it did."""


class Said(Protocol):
    """What every command of a person has."""

    @property
    def token(self) -> str:
        """What the gateway signed; empty where nothing was."""


def question(run: str, what: str, number: int = 1) -> str:
    """The nonce of a question: another one for each run, each thing that is asked, each time."""
    return hashlib.sha256(f"{run}|{what}|{number}".encode()).hexdigest()[:24]


def proven(
    said: Said,
    seal: Seal,
    dec: Dec,
    now: datetime,
    used: Collection[str],
    *,
    word: str = "",
    plan: str | None = None,
    nonce: str | None = None,
) -> Claims | None:
    """Who decided it, as signed. None: nothing must be proven, or it is the parent's own stop.

    used: the jti of all that counted before. word: with which it was passed on. plan, nonce: of
    the question, None where it answers none. Raises BadToken, whose words are for people.
    """
    if not seal.keys:
        return None
    passed_on = bool(seal.word) and word == seal.word
    if passed_on and not said.token and dec is Dec.ABORT_HOLD:
        return None  # as a native cancel, which nobody can sign
    expected = Expected(aud=seal.aud, aims=seal.aims, decs=(dec,), plan=plan, nonce=nonce)
    claims = verified(said.token, seal.keys, expected, None if passed_on else now)
    if claims.jti in used:
        raise BadToken(USED)
    return claims
