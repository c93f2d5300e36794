"""The provider's public keys, asked for seldom: also when somebody sends made-up key ids."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt

from rollback_manager.errors import RollbackError
from starters.gateway.sign_in.web import away

FRESH = timedelta(hours=1)
"""Keys are asked for again after so long: a withdrawn key is not trusted for longer (ours)."""
STALE = timedelta(hours=24)
"""While the provider is down, keys as old as that still serve."""
SELDOM = timedelta(seconds=30)
"""Between two questions to the provider, whatever is asked of us: rotation is felt that late."""
MOST_KEYS = 50

Keyed = Mapping[str, jwt.PyJWK]


class Keys:
    """One provider's keys by id. fetch: its JWKS document; raises RollbackError."""

    def __init__(
        self, fetch: Callable[[], Awaitable[dict[str, Any]]], now: Callable[[], datetime]
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: Keyed = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    async def key(self, kid: str) -> jwt.PyJWK | None:
        """The key of that id; None where the provider has none. Unreachable where nobody can tell.

        What strangers send costs the provider nothing: it is asked once in SELDOM at most.
        """
        async with self._one_at_a_time:
            if self._must_ask(kid):
                await self._ask()
        if self._age() > STALE:
            raise away("its keys cannot be read")
        return self._keys.get(kid)

    def _must_ask(self, kid: str) -> bool:
        now = self._now()
        if self._asked_at is not None and now - self._asked_at < SELDOM:
            return False
        return self._age() > FRESH or kid not in self._keys

    async def _ask(self) -> None:
        self._asked_at = self._now()
        try:
            self._keys = _read(await self._fetch())
        except RollbackError:
            return  # what is known already serves for a while
        self._fetched_at = self._now()

    def _age(self) -> timedelta:
        return timedelta.max if self._fetched_at is None else self._now() - self._fetched_at


def _read(document: Mapping[str, Any]) -> Keyed:
    """Public keys to verify with; what cannot be read, or is no such key, is passed over."""
    found: dict[str, jwt.PyJWK] = {}
    listed = document.get("keys")
    for one in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("kty") not in {"RSA", "EC", "OKP"}:
            continue
        if not isinstance(one.get("kid"), str) or one.get("use", "sig") != "sig":
            continue
        try:
            found[one["kid"]] = jwt.PyJWK({**one, "alg": one.get("alg") or _alg(one)})
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
    return found


def _alg(key: Mapping[str, Any]) -> str:
    """For keys that do not say: the usual one of their kind. The verifier pins it anyway."""
    curves = {"P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}
    return "RS256" if key["kty"] == "RSA" else curves.get(str(key.get("crv")), "unknown")
