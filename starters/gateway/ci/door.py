"""What the doors of CI need: whom they believe, and what they remember."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from rollback_manager.authority import ci_tokens
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.ci_tokens import BadCiToken, Granted, Issuer
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import Unreachable
from starters.gateway.ci.starts import Starts
from starters.gateway.key_set import LARGEST, KeySet
from starters.gateway.replays import Replays


class Fetch(Protocol):
    """GET of a configured https address; not redirected, done within seconds."""

    def __call__(self, url: str, at_most: int) -> bytes:
        """The body; Unreachable where there is none, or a longer one."""


@dataclass(frozen=True)
class CiDoor:
    """The door of CI. issuers: none: there is no such door."""

    issuers: tuple[Issuer, ...]
    keys: Mapping[str, KeySet]
    """By the issuer's url."""
    replays: Replays
    credentials: Credentials
    starts: Starts = field(default_factory=Starts)

    async def signed_in(self, token: str, catalogue: Catalogue, now: datetime) -> Granted:
        """What the job of this token may ask for.

        Raises BadCiToken, NotAllowed, or Unreachable where keys or records do not answer.
        """
        issuer = ci_tokens.issuer_of(token, self.issuers)
        kid = ci_tokens.key_id(token)
        found = await self.keys[issuer.url].key(kid)
        claims = ci_tokens.verified(token, _for_tokens(found), issuer, now)
        rules = {name: service.ci for name, service in catalogue.services.items() if service.ci}
        granted = ci_tokens.granted(claims, issuer.source, rules, catalogue.directory)
        counts_for = claims["exp"] - now.timestamp() + ci_tokens.SLACK_S
        jti = hashlib.sha256(ci_tokens.jti_of(claims).encode()).hexdigest()
        seen_as = f"ci:{issuer.source}:{jti}"
        if not await asyncio.to_thread(self.replays.first_time, seen_as, math.ceil(counts_for) + 1):
            raise BadCiToken("it was used before")
        return granted


def key_sets(issuers: tuple[Issuer, ...], fetch: Fetch) -> dict[str, KeySet]:
    """The keys of each: one that is slow or down is so for its own tokens alone."""
    return {one.url: KeySet(_fetched(one, fetch), partial(_silent, one)) for one in issuers}


def _fetched(issuer: Issuer, fetch: Fetch) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """In a thread, one at a time: what is decided needs others for its entries in the chain."""

    def fetched() -> Mapping[str, Any]:
        document = json.loads(fetch(issuer.jwks, LARGEST))
        if not isinstance(document, dict):
            raise ValueError("not a key set")
        return document

    return lambda: asyncio.to_thread(fetched)


def _for_tokens(found: jwt.PyJWK | None) -> RSAPublicKey:
    """The key, where it is one for tokens of CI."""
    key = found.key if found is not None and found.algorithm_name == ci_tokens.ALGORITHM else None
    if not isinstance(key, RSAPublicKey):
        raise BadCiToken("its key is not the issuer's")
    return key


def _silent(issuer: Issuer) -> Unreachable:
    return Unreachable(
        f"the keys of {issuer.source} cannot be read",
        effect="Production is unchanged by this call: nobody was signed in.",
        next_step="Try again; meanwhile a person can ask: rollback-manager start SERVICE",
    )
