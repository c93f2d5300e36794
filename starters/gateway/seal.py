"""Words that leave the gateway in a browser and must come back as they were, or not at all.

A form's token, an answer that is shown after a redirect, a sign-in: each is sealed for one purpose
and until a moment, and is good for nothing else.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt

LONGEST = 8000
"""Characters that are looked at: a cookie holds half of it."""


@dataclass(frozen=True)
class Seal:
    """HMAC-SHA256 over words, their purpose and their end.

    key: at least 32 bytes. One made at the start seals for the life of this process; gateways that
    answer side by side need one in common.
    """

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def sealed(self, purpose: str, words: Mapping[str, Any], until: datetime) -> str:
        """The words as one text, good for `purpose` and until then."""
        claims = {**words, "aud": purpose, "exp": int(until.timestamp())}
        return jwt.encode(claims, self.key, algorithm="HS256")

    def opened(self, purpose: str, text: str, now: datetime) -> dict[str, Any] | None:
        """The words; None where they were changed, are meant for something else, or are too old."""
        if not text or len(text) > LONGEST:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                self.key,
                algorithms=["HS256"],
                audience=purpose,
                options={"require": ["aud", "exp"], "verify_exp": False},  # by our clock, below
            )
        except jwt.InvalidTokenError:
            return None
        return claims if now.timestamp() < claims["exp"] else None


FORM_LIFE = timedelta(hours=8)
"""As long as a sign-in: a page may stay open over a night shift."""
