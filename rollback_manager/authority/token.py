"""Decision tokens: what the gateway signs and the workflow verifies (security.md §5.2). Pure.

A JWS over Ed25519. Whoever may write to Temporal can send any message; only a token that was made
for this rollback, this plan and this question makes one a decision.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rollback_manager.authority.jws import CLOCKS_DIFFER, ISSUER, Time, decoded, encoded, type_of
from rollback_manager.authority.jws import BadToken as BadToken
from rollback_manager.authority.jws import audience as audience
from rollback_manager.authority.jws import hash_of as hash_of
from rollback_manager.authority.jws import must_name_somebody as must_name_somebody
from rollback_manager.authority.jws import verify_key as verify_key
from rollback_manager.authority.keys import Aim
from rollback_manager.authority.keys import VerifyKey as VerifyKey
from rollback_manager.values import Value

NOUN = "decision"
TYPE = type_of(NOUN)
LIFETIME = timedelta(minutes=10)
ABORTS_LIVE = timedelta(hours=24)
"""An abort counts even if no worker was up for long (security.md §5.2)."""


class Dec(StrEnum):
    """What a token decides."""

    APPROVE = "approve"
    REJECT = "reject"
    ABORT_HOLD = "abort_hold"
    ABORT_RESTORE = "abort_restore"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY_STEP = "retry_step"
    SKIP_STEP = "skip_step"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    VERDICT = "verdict"
    RECORD_RELEASE = "record_release"
    MARK_RELEASE = "mark_release"
    REVIEW = "review"
    GIVE_BACK = "give_back"
    RELEASE_HOLD = "release_hold"

    @property
    def lifetime(self) -> timedelta:
        """How long such a token may be valid at most."""
        aborts = self in {Dec.ABORT_HOLD, Dec.ABORT_RESTORE}
        return ABORTS_LIVE if aborts else LIFETIME


class Claims(Value):
    """What a token says; none of it may be left out.

    act, amr: how they signed in, and its factors. groups: seen at that moment. rid: workflow id.
    run: id of its *first execution*, which a reset keeps. plan: digest. nonce: of the question that
    is answered; empty where none is. jti: once per rollback.
    """

    iss: str = ISSUER
    aud: str
    sub: str
    act: str
    amr: tuple[str, ...]
    groups: tuple[str, ...]
    groups_hash: str
    rid: str
    run: str
    plan: str
    dec: Dec
    nonce: str
    iat: Time
    exp: Time
    jti: str


class Expected(Value):
    """What this rollback takes. plan, nonce: None where any will do."""

    aud: str
    aims: tuple[Aim, ...]
    decs: tuple[Dec, ...]
    plan: str | None
    nonce: str | None


def signed(claims: Claims, private_key: Ed25519PrivateKey, kid: str) -> str:
    """The token, in the compact form of a JWS."""
    return encoded(claims, private_key, kid, NOUN)


def verified(
    token: str, keys: tuple[VerifyKey, ...], expected: Expected, now: datetime | None
) -> Claims:
    """The claims, if one of the keys signed them for just this; otherwise BadToken says why not.

    The same answer whenever it is asked with the same arguments: no clock but `now`. None: whoever
    passed it on has judged its time.
    """
    claims = decoded(token, keys, NOUN, Claims)
    must_name_somebody(claims)
    if because := _unexpected(claims, expected) or _untimely(claims, now):
        raise BadToken(because)
    return claims


def _unexpected(claims: Claims, expected: Expected) -> str:
    """What it was made for instead of this; empty: for this."""
    if claims.aud != expected.aud:
        return "it was signed for another environment"
    if claims.rid not in {aim.rid for aim in expected.aims}:
        return "it was signed for another rollback"
    if Aim(rid=claims.rid, run=claims.run) not in expected.aims:
        return "it was signed for another run of this rollback"
    if claims.dec not in expected.decs:
        return f"it was signed to {claims.dec}"
    if expected.plan is not None and claims.plan != expected.plan:
        return "it was signed for another plan"
    if expected.nonce is not None and claims.nonce != expected.nonce:
        return "it was signed for another question than the one that is open"
    return ""


def _untimely(claims: Claims, now: datetime | None) -> str:
    if not 0 < claims.exp - claims.iat <= claims.dec.lifetime.total_seconds():
        return "it was signed for longer than such a decision may count"
    if now is None:
        return ""
    seconds = now.timestamp()
    if claims.iat > seconds + CLOCKS_DIFFER.total_seconds():
        return "it was signed in the future: compare the gateway's clock with Temporal's"
    if seconds >= claims.exp:
        return f"its signature ended {seconds - claims.exp:.0f} s ago"
    return ""
