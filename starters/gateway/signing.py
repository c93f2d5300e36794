"""Signs decisions: for one rollback, one run, one plan, one question, one use, and not for long.

And starts: for one rollback and just what is asked for, one use, and for two minutes.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rollback_manager.authority import start_token
from rollback_manager.authority.people import Person
from rollback_manager.authority.token import Claims, Dec, audience, hash_of, signed
from rollback_manager.contract import RollbackRequest, rollback_id
from rollback_manager.errors import PermanentError


@dataclass(frozen=True)
class SigningKey:
    """The private half, and the name by which rollbacks know its public half."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)


Signer = Callable[[], SigningKey]
"""The key that signs now, read anew for each decision: it may be replaced at any time."""


@dataclass(frozen=True)
class About:
    """What is decided about. run: of the first execution. plan, nonce: empty where none is."""

    env: str
    rollback: str
    run: str
    plan: str = ""
    nonce: str = ""


def required(signer: Signer | None, env: str) -> Signer:
    """The signer; PermanentError where this gateway has none and nothing would count."""
    if signer is not None:
        return signer
    raise PermanentError(
        f"decisions in {env} must be signed, and this gateway has no key",
        effect="Nothing was decided; what runs goes on as it is.",
        next_step="Name the key: ROLLBACK_GATEWAY_SIGNING_KEY, ROLLBACK_GATEWAY_SIGNING_KID",
    )


def token(signer: Signer, person: Person, dec: Dec, about: About, id: str, now: datetime) -> str:
    """The signed decision. id: of the decision; the same one again is of no more use."""
    seconds, key = int(now.timestamp()), signer()
    claims = Claims(
        aud=audience(about.env),
        sub=person.subject,
        act=person.method,
        amr=person.factors,
        groups=person.groups,
        groups_hash=hash_of(person.groups),
        rid=about.rollback,
        run=about.run,
        plan=about.plan,
        dec=dec,
        nonce=about.nonce,
        iat=seconds,
        exp=seconds + int(dec.lifetime.total_seconds()),
        jti=hashlib.sha256(f"{person.subject}\n{id}".encode()).hexdigest()[:32],
    )
    return signed(claims, key.private, key.kid)


def start(signer: Signer, person: Person, request: RollbackRequest, now: datetime) -> str:
    """The signature by which this request may begin."""
    seconds, key = int(now.timestamp()), signer()
    claims = start_token.StartClaims(
        aud=audience(request.env),
        sub=person.subject,
        act=person.method,
        amr=person.factors,
        groups=person.groups,
        groups_hash=hash_of(person.groups),
        rid=rollback_id(request.env, request.key),
        request=start_token.hash_of(request),
        iat=seconds,
        exp=seconds + int(start_token.LIFETIME.total_seconds()),
        jti=secrets.token_hex(16),
    )
    return start_token.signed(claims, key.private, key.kid)
