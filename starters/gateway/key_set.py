"""An issuer's public keys: asked for seldom, whatever strangers send; kept while it is down.

One for all who sign: a CI's tokens, and an identity provider's word on who came.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jwt

from rollback_manager.errors import RollbackError, Unreachable

FRESH_S = 3600.0
"""Keys are asked for again after so long: one that was taken back is not trusted for longer.
Issuers keep a key for weeks and publish it before they use it."""
KEPT_S = 24 * 3600.0
"""While the issuer is down, keys as old as that still count; then it vouches for nobody."""
ASK_EVERY_S = 30.0
"""A key that is not known is looked for so often at most: tokens with made-up ones are cheap."""
LARGEST = 256 * 1024
"""Bytes of a key set; GitHub's has 5 KiB."""
MOST_KEYS = 100
KINDS = frozenset({"RSA", "EC", "OKP"})
CURVES = {"P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]
"""The document at a configured address; RollbackError or ValueError where there is none. It must
not hold up the process: what waits in the call itself goes into a thread."""
Keyed = Mapping[str, jwt.PyJWK]
log = logging.getLogger(__name__)


class KeySet:
    """One issuer's keys by `kid`. silent: what is said where nobody can tell."""

    def __init__(
        self,
        fetch: Fetch,
        silent: Callable[[], Unreachable],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._silent, self._clock = fetch, silent, clock
        self._keys: Keyed = {}
        self._read_at = self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> jwt.PyJWK | None:
        """The key of that name; None where the issuer has none. Unreachable: nobody can tell."""
        asking = self._asking
        if asking is None and self._must_ask(kid):
            self._asked_at = self._clock()
            asking = self._asking = asyncio.create_task(self._ask())
        if asking is not None:
            await asyncio.shield(asking)  # who leaves does not spoil it for those who wait
        if self._clock() - self._read_at > KEPT_S:
            raise self._silent()
        return self._keys.get(kid)

    def _must_ask(self, kid: str) -> bool:
        now = self._clock()
        is_stale = now - self._read_at > FRESH_S
        return (is_stale or kid not in self._keys) and now - self._asked_at >= ASK_EVERY_S

    async def _ask(self) -> None:
        try:
            self._keys = read(await self._fetch())
            self._read_at = self._clock()
        except (RollbackError, ValueError, RecursionError) as error:
            because = str(error)[:300]  # what is known already counts for a while
            log.warning("the keys of an issuer cannot be read", extra={"because": because})
        finally:
            self._asking = None


def read(document: Mapping[str, Any]) -> Keyed:
    """Public keys to verify with; ValueError where there is none.

    What cannot be read, is no such key, or is a private one is passed over.
    """
    listed = document.get("keys")
    found: dict[str, jwt.PyJWK] = {}
    for one in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("kty") not in KINDS or "d" in one:
            continue
        if not isinstance(one.get("kid"), str) or one.get("use", "sig") != "sig":
            continue
        try:
            found[one["kid"]] = jwt.PyJWK({**one, "alg": one.get("alg") or _algorithm(one)})
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
    if not found:
        raise ValueError("no key in it is for signatures")
    return found


def _algorithm(key: Mapping[str, Any]) -> str:
    """For keys that do not say: the usual one of their kind. The verifier pins it anyway."""
    return "RS256" if key["kty"] == "RSA" else CURVES.get(str(key.get("crv")), "unknown")
