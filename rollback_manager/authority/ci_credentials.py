"""The credential that a CI job gets for its token: ten minutes of asking for its own services.

Signed and not kept, so that every process of the gateway which has the same key can read it. Pure.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import jwt

from rollback_manager.authority.ci_tokens import Granted
from rollback_manager.errors import PermanentError

LIFE = timedelta(minutes=10)
"""A job that needs longer asks again with a new token (security §5.3)."""
ALGORITHM = "HS256"
AUDIENCE = "rollback-manager/ci"
TYPE = "rollback-ci+jwt"
"""Neither a decision token nor a token of an issuer can be taken for one of these."""
SMALLEST_KEY = 32
"""Bytes (RFC 7518, 3.2)."""


class BadCredential(PermanentError):
    """Not one of ours, or one that has ended."""

    def __init__(self, because: str) -> None:
        super().__init__(
            f"the credential does not count: {because}",
            effect="Production is unchanged by this call.",
            next_step="Get a new one for the job's token: POST /api/v1/ci/credentials",
        )


class Credentials:
    """Gives credentials out and reads them. key: at least 32 random bytes, known to nobody else."""

    def __init__(self, key: bytes) -> None:
        if len(key) < SMALLEST_KEY:
            raise PermanentError(
                f"the key of CI credentials is shorter than {SMALLEST_KEY} bytes",
                effect="Nothing was started.",
                next_step="Make one: python3 -c 'import secrets; print(secrets.token_hex(32))'",
            )
        self._key = key

    def given(self, granted: Granted, now: datetime) -> tuple[str, datetime]:
        """A credential for that, and when it ends."""
        until = now + LIFE
        claims = {
            "aud": AUDIENCE,
            "sub": granted.subject,
            "places": list(granted.places),
            "behind": list(granted.behind),
            "iat": int(now.timestamp()),
            "exp": int(until.timestamp()),
        }
        return jwt.encode(claims, self._key, ALGORITHM, {"typ": TYPE}), until

    def read(self, credential: str, now: datetime) -> Granted:
        """What it was given for; BadCredential for anything but a living one of ours."""
        try:
            whole = jwt.decode_complete(
                credential,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "sub"]},
            )
        except jwt.InvalidTokenError as error:
            raise BadCredential("it is none of this gateway") from error
        claims: dict[str, Any] = whole["payload"]
        if whole["header"].get("typ") != TYPE:
            raise BadCredential("it is none of this gateway")
        if claims["exp"] <= now.timestamp():
            raise BadCredential("its ten minutes are over")
        behind = tuple(claims.get("behind", ()))  # a gateway of before gives none
        return Granted(subject=claims["sub"], places=tuple(claims["places"]), behind=behind)
