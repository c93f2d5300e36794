"""Decision tokens: what the gateway signs and the workflow verifies (security.md §5.2). Pure.

A JWS over Ed25519. Whoever may write to Temporal can send any message; only a token that was made
for this rollback, this plan and this question makes one a decision.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from rollback_manager.authority.keys import Aim
from rollback_manager.authority.keys import VerifyKey as VerifyKey
from rollback_manager.errors import PermanentError
from rollback_manager.values import Value

ISSUER = "rollback-manager/gateway"
TYPE = "rollback-decision+jwt"
"""In the header, so that no other token of the same key is taken for a decision (RFC 8725)."""
MOST_BYTES = 8192
"""Of a token; what is longer is not even looked at."""
LIFETIME = timedelta(minutes=10)
ABORTS_LIVE = timedelta(hours=24)
"""An abort counts even if no worker was up for long (security.md §5.2)."""
CLOCKS_DIFFER = timedelta(seconds=60)
"""By so much may the gateway's clock be ahead of Temporal's (security.md T38)."""


UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, RecursionError)
"""What a parser of JSON and base64 raises over text from anybody; nesting, too."""


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

    @property
    def lifetime(self) -> timedelta:
        """How long such a token may be valid at most."""
        aborts = self in {Dec.ABORT_HOLD, Dec.ABORT_RESTORE}
        return ABORTS_LIVE if aborts else LIFETIME


Time = Annotated[int, Field(ge=0, lt=2**40)]
"""Seconds since 1970."""


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


class BadToken(PermanentError):
    """The token decides nothing here; `what` says why, and holds nothing of the token itself."""


def audience(env: str) -> str:
    """Whom a token is for."""
    return f"rollback-manager/{env}"


def hash_of(groups: Sequence[str]) -> str:
    """SHA-256 of the groups, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(set(groups))).encode()).hexdigest()


def verify_key(private: Ed25519PrivateKey, kid: str) -> VerifyKey:
    """The public half, as it stands in the catalogue's `signing_keys`."""
    raw = private.public_key().public_bytes_raw()
    return VerifyKey(kid=kid, public=base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def signed(claims: Claims, private_key: Ed25519PrivateKey, kid: str) -> str:
    """The token, in the compact form of a JWS."""
    return jwt.encode(
        claims.model_dump(mode="json"), private_key, "EdDSA", headers={"kid": kid, "typ": TYPE}
    )


def verified(
    token: str, keys: tuple[VerifyKey, ...], expected: Expected, now: datetime | None
) -> Claims:
    """The claims, if one of the keys signed them for just this; otherwise BadToken says why not.

    The same answer whenever it is asked with the same arguments: no clock but `now`. None: whoever
    passed it on has judged its time.
    """
    if not token:
        raise BadToken("it is not signed, and only what the gateway signed counts here")
    if len(token) > MOST_BYTES:
        raise BadToken(f"its token is longer than {MOST_BYTES} bytes")
    claims = _claims(_payload(token, keys))
    if because := _unexpected(claims, expected) or _untimely(claims, now):
        raise BadToken(because)
    return claims


def _payload(token: str, keys: tuple[VerifyKey, ...]) -> dict[str, Any]:
    """Signature, algorithm, type, issuer and that each claim is there; times are ours to judge."""
    try:
        header = jwt.get_unverified_header(token)
    except UNREADABLE:
        raise BadToken("its token cannot be read") from None
    key = next((one for one in keys if one.kid == header.get("kid")), None)
    if key is None:
        raise BadToken("its token was signed with a key that this rollback does not know")
    if header.get("typ") != TYPE:
        raise BadToken("its token is no decision")
    options: Any = {
        "require": list(Claims.model_fields),
        **dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud"), False),
    }
    try:
        payload: dict[str, Any] = jwt.decode(
            token, _public(key), algorithms=["EdDSA"], issuer=ISSUER, options=options
        )
    except jwt.InvalidSignatureError:
        raise BadToken("its signature is wrong") from None
    except jwt.MissingRequiredClaimError as error:
        raise BadToken(f"its token says no {error.claim}") from None
    except jwt.InvalidIssuerError:
        raise BadToken("its token is not from the gateway") from None
    except UNREADABLE:
        raise BadToken("its token cannot be read") from None
    return payload


def _public(key: VerifyKey) -> Ed25519PublicKey:
    padded = key.public + "=" * (-len(key.public) % 4)
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(padded))


def _claims(payload: dict[str, Any]) -> Claims:
    try:
        claims = Claims.model_validate_json(json.dumps(payload), strict=True)
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        raise BadToken(f"its token has no sensible {field}") from None
    if not claims.sub.strip() or not claims.jti.strip():
        raise BadToken("its token names nobody, or has no id")
    if claims.groups_hash != hash_of(claims.groups):
        raise BadToken("its token's groups are not those that were hashed")
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
