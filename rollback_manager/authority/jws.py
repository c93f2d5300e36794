"""What all tokens of the gateway have in common: a JWS over Ed25519, of one type (RFC 8725). Pure.

The same answer whenever it is asked with the same arguments: no clock is looked at here.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Protocol, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.errors import PermanentError
from rollback_manager.values import Value

ISSUER = "rollback-manager/gateway"
MOST_BYTES = 8192
"""Of a token; what is longer is not even looked at."""
CLOCKS_DIFFER = timedelta(seconds=60)
"""By so much may the gateway's clock be ahead of Temporal's (security.md T38)."""
UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, RecursionError)
"""What a parser of JSON and base64 raises over text from anybody; nesting, too."""

Time = Annotated[int, Field(ge=0, lt=2**40)]
"""Seconds since 1970."""
V = TypeVar("V", bound=Value)


class BadToken(PermanentError):
    """The token decides nothing here; `what` says why, and holds nothing of the token itself."""


class Named(Protocol):
    """Whose token it is, and which."""

    @property
    def sub(self) -> str:
        """The directory's name of who signed in."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Seen at that moment."""

    @property
    def groups_hash(self) -> str:
        """Of just these groups."""

    @property
    def jti(self) -> str:
        """Which one."""


def audience(env: str) -> str:
    """Whom a token is for."""
    return f"rollback-manager/{env}"


def hash_of(groups: Sequence[str]) -> str:
    """SHA-256 of the groups, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(set(groups))).encode()).hexdigest()


def content(asked: Value, unsigned: set[str]) -> str:
    """SHA-256 of the canonical JSON of what is asked for, but for these fields.

    Without what has its default: a field that a later build adds must not break what an older
    gateway signed, and one that says something must not pass for nothing.
    """
    words = asked.model_dump(mode="json", exclude=unsigned, exclude_defaults=True)
    text = json.dumps(words, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def verify_key(private: Ed25519PrivateKey, kid: str) -> VerifyKey:
    """The public half, as it stands in the catalogue's `signing_keys`."""
    raw = private.public_key().public_bytes_raw()
    return VerifyKey(kid=kid, public=base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def encoded(claims: Value, private_key: Ed25519PrivateKey, kid: str, noun: str) -> str:
    """The token, in the compact form of a JWS. noun: what it is, `decision` or `start`."""
    headers = {"kid": kid, "typ": type_of(noun)}
    return jwt.encode(claims.model_dump(mode="json"), private_key, "EdDSA", headers=headers)


def decoded(token: str, keys: tuple[VerifyKey, ...], noun: str, claims: type[V]) -> V:
    """Its claims, if one of the keys signed them as just this; times are the caller's to judge.

    Each field of `claims` must be there. Raises BadToken, whose words are for people.
    """
    if not token:
        raise BadToken("it is not signed, and only what the gateway signed counts here")
    if len(token) > MOST_BYTES:
        raise BadToken(f"its token is longer than {MOST_BYTES} bytes")
    payload = _payload(token, keys, noun, tuple(claims.model_fields))
    try:
        return claims.model_validate_json(json.dumps(payload), strict=True)
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        raise BadToken(f"its token has no sensible {field}") from None


def must_name_somebody(claims: Named) -> None:
    """Raise BadToken where it names nobody, has no id, or other groups than it hashes."""
    if not claims.sub.strip() or not claims.jti.strip():
        raise BadToken("its token names nobody, or has no id")
    if claims.groups_hash != hash_of(claims.groups):
        raise BadToken("its token's groups are not those that were hashed")


def type_of(noun: str) -> str:
    """In the header, so that no other token of the same key is taken for one (RFC 8725)."""
    return f"rollback-{noun}+jwt"


def _payload(
    token: str, keys: tuple[VerifyKey, ...], noun: str, fields: tuple[str, ...]
) -> dict[str, Any]:
    """Signature, algorithm, type, issuer and that each claim is there."""
    try:
        header = jwt.get_unverified_header(token)
    except UNREADABLE:
        raise BadToken("its token cannot be read") from None
    key = next((one for one in keys if one.kid == header.get("kid")), None)
    if key is None:
        raise BadToken("its token was signed with a key that this rollback does not know")
    if header.get("typ") != type_of(noun):
        raise BadToken(f"its token is no {noun}")
    options: Any = {
        "require": list(fields),
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
