"""Whether what is asked of a worker was asked by somebody who may: what the gateway signs. Pure.

A freeze is said or lifted, a release recorded or marked, a break-glass reviewed, a quarantine
ended.
"""

from datetime import datetime

from rollback_manager.authority import jws
from rollback_manager.authority.keys import Aim, VerifyKey
from rollback_manager.authority.token import BadToken, Claims, Dec, Expected, audience, verified
from rollback_manager.contract import (
    AdoptRequest,
    MarkRelease,
    RecordRelease,
    adopt_id,
    release_id,
)
from rollback_manager.deploys import LiftFreezes, SayFreeze
from rollback_manager.glass import ReviewGlass
from rollback_manager.values import Value

Freezing = SayFreeze | LiftFreezes
Ask = Freezing | RecordRelease | MarkRelease | ReviewGlass | AdoptRequest
"""Of the last only a giving back: a look changes nothing."""


def about(ask: Ask) -> str:
    """What it is about, as tokens and the audit chain name it."""
    match ask:
        case SayFreeze() | LiftFreezes():
            return f"freezes/{ask.env}/{ask.service or '*'}"
        case RecordRelease() | MarkRelease():
            return release_id(ask.env, ask.service, ask.version)
        case ReviewGlass():
            return ask.rollback
        case AdoptRequest():
            return adopt_id(ask.env, ask.service, "give-back")


def dec(ask: Ask) -> Dec:
    """What a token of it decides; also its name in the audit chain."""
    match ask:
        case SayFreeze():
            return Dec.FREEZE
        case LiftFreezes():
            return Dec.UNFREEZE
        case RecordRelease():
            return Dec.RECORD_RELEASE
        case MarkRelease():
            return Dec.MARK_RELEASE
        case ReviewGlass():
            return Dec.REVIEW
        case AdoptRequest():
            return Dec.GIVE_BACK


def content(ask: Value) -> str:
    """SHA-256 of all that is asked: a token is for this and nothing else."""
    return jws.content(ask, {"token"})


def must_be_signed(ask: Ask, keys: tuple[VerifyKey, ...], at: datetime) -> Claims:
    """Who signed it, for just this; BadToken, whose words are for people, otherwise.

    at: when it was asked.
    """
    expected = Expected(
        aud=audience(ask.env),
        aims=(Aim(rid=about(ask), run=""),),
        decs=(dec(ask),),
        plan=content(ask),
        nonce="",
    )
    claims = verified(ask.token, keys, expected, at)
    if claims.sub != ask.by:
        raise BadToken("it was signed for somebody else")
    if isinstance(ask, LiftFreezes) and not ask.ids:
        raise BadToken("it does not name what it lifts")
    return claims
