"""What the doors of CI need: whom they believe, and what they remember."""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime

from rollback_manager.authority import ci_tokens
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.ci_tokens import BadCiToken, Granted, Issuer
from rollback_manager.catalogue import Catalogue
from starters.gateway.ci.keys import Keys
from starters.gateway.ci.starts import Starts
from starters.gateway.replays import Replays


@dataclass(frozen=True)
class CiDoor:
    """The door of CI. issuers: none: there is no such door."""

    issuers: tuple[Issuer, ...]
    keys: Keys
    replays: Replays
    credentials: Credentials
    starts: Starts = field(default_factory=Starts)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Who waits for the keys of an issuer that is slow waits here, and holds no thread meanwhile:
    what is decided needs one for its entry in the audit chain."""

    async def signed_in(self, token: str, catalogue: Catalogue, now: datetime) -> Granted:
        """What the job of this token may ask for.

        Raises BadCiToken, NotAllowed, or Unreachable where keys or records do not answer.
        """
        issuer = ci_tokens.issuer_of(token, self.issuers)
        kid = ci_tokens.key_id(token)
        async with self.asking:
            key = await asyncio.to_thread(self.keys.key, issuer, kid)
        claims = ci_tokens.verified(token, key, issuer, now)
        rules = {name: service.ci for name, service in catalogue.services.items() if service.ci}
        granted = ci_tokens.granted(claims, issuer.source, rules)
        counts_for = claims["exp"] - now.timestamp() + ci_tokens.SLACK_S
        jti = hashlib.sha256(ci_tokens.jti_of(claims).encode()).hexdigest()
        seen_as = f"ci:{issuer.source}:{jti}"
        if not await asyncio.to_thread(self.replays.first_time, seen_as, math.ceil(counts_for) + 1):
            raise BadCiToken("it was used before")
        return granted
