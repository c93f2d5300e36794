"""Start tokens: what the gateway signs when it starts a rollback, verified as it is planned. Pure.

Whoever may write to Temporal can start anything in anybody's name; only a token that was made for
this rollback and for just this request lets it begin. Of a type of its own, so that no decision is
ever taken for a start, nor the other way round (RFC 8725).
"""

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rollback_manager.authority import jws
from rollback_manager.authority.jws import CLOCKS_DIFFER, ISSUER, BadToken, Time, audience
from rollback_manager.authority.keys import VerifyKey
from rollback_manager.authority.origin import Origin
from rollback_manager.contract import RollbackRequest
from rollback_manager.values import Value

NOUN = "start"
LIFETIME = timedelta(minutes=2)
"""From the signature to Temporal's answer: the gateway signs as the last thing before it asks."""
UNSIGNED = {"token", "origin"}
"""Of a request: the signature itself, and what the workflow says of itself."""


class StartClaims(Value):
    """What a token says; none of it may be left out.

    sub: who asks. act, amr: how they signed in, and its factors. groups: seen at that moment. rid:
    workflow id. request: SHA-256 of all that was asked. jti: begins one rollback, once.
    """

    iss: str = ISSUER
    aud: str
    sub: str
    act: str
    amr: tuple[str, ...]
    groups: tuple[str, ...]
    groups_hash: str
    rid: str
    request: str
    iat: Time
    exp: Time
    jti: str


def hash_of(request: RollbackRequest) -> str:
    """SHA-256 of all that is asked for."""
    return jws.content(request, UNSIGNED)


def signed(claims: StartClaims, private_key: Ed25519PrivateKey, kid: str) -> str:
    """The token, in the compact form of a JWS."""
    return jws.encoded(claims, private_key, kid, NOUN)


def verified(request: RollbackRequest, origin: Origin, keys: tuple[VerifyKey, ...]) -> StartClaims:
    """The claims, if one of the keys signed just this start; otherwise BadToken says why not.

    Its time is judged by when the rollback was started: a worker may come late.
    """
    claims = jws.decoded(request.token, keys, NOUN, StartClaims)
    jws.must_name_somebody(claims)
    if because := _unexpected(claims, request, origin) or _untimely(claims, origin):
        raise BadToken(because)
    return claims


def _unexpected(claims: StartClaims, request: RollbackRequest, origin: Origin) -> str:
    """What it was made for instead of this; empty: for this."""
    if claims.aud != audience(request.env):
        return "it was signed for another environment"
    if claims.rid != origin.rollback:
        return "it was signed for another rollback"
    if claims.sub != request.requested_by:
        return "it was signed for somebody else"
    if claims.request != hash_of(request):
        return "it was signed for another request: something of it was changed"
    return ""


def _untimely(claims: StartClaims, origin: Origin) -> str:
    if not 0 < claims.exp - claims.iat <= LIFETIME.total_seconds():
        return "it was signed for longer than a start may count"
    seconds = origin.at.timestamp()
    if claims.iat > seconds + CLOCKS_DIFFER.total_seconds():
        return "it was signed in the future: compare the gateway's clock with Temporal's"
    if seconds >= claims.exp:
        return f"its signature had ended {seconds - claims.exp:.0f} s before it was started"
    return ""
