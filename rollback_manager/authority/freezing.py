"""Whether a freeze was said, or is lifted, by somebody who may: what the gateway signs. Pure."""

import hashlib
from datetime import datetime

from rollback_manager.authority.keys import Aim, VerifyKey
from rollback_manager.authority.token import BadToken, Dec, Expected, audience, verified
from rollback_manager.deploys import LiftFreezes, SayFreeze

Freezing = SayFreeze | LiftFreezes


def about(ask: Freezing) -> str:
    """What it is about, as tokens and the audit chain name it: all of it, or one service."""
    return f"freezes/{ask.env}/{ask.service or '*'}"


def content(ask: Freezing) -> str:
    """SHA-256 of all that is asked: a token is for this and nothing else.

    Whoever repeats it says the same freeze again, or lifts what is lifted.
    """
    return hashlib.sha256(ask.model_dump_json(exclude={"token"}).encode()).hexdigest()


def dec(ask: Freezing) -> Dec:
    """What a token of it decides."""
    return Dec.FREEZE if isinstance(ask, SayFreeze) else Dec.UNFREEZE


def must_be_signed(ask: Freezing, keys: tuple[VerifyKey, ...], now: datetime) -> None:
    """Raise BadToken, whose words are for people, for what the gateway did not sign just so."""
    expected = Expected(
        aud=audience(ask.env),
        aims=(Aim(rid=about(ask), run=""),),
        decs=(dec(ask),),
        plan=content(ask),
        nonce="",
    )
    if verified(ask.token, keys, expected, now).sub != ask.by:
        raise BadToken("it was signed for somebody else")
    if isinstance(ask, LiftFreezes) and not ask.ids:
        raise BadToken("it does not name what it lifts")
