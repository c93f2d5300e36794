"""The public keys of an issuer: fetched seldom, whatever strangers send; kept while it is down."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from rollback_manager.authority.ci_tokens import ALGORITHM, BadCiToken, Issuer
from rollback_manager.errors import RollbackError, Unreachable

FRESH_S = 3600.0
"""Both issuers keep a key for weeks and publish it before they use it."""
KEPT_S = 24 * 3600.0
"""An issuer that is down for longer vouches for nobody any more."""
ASK_EVERY_S = 30.0
"""A key that is not known is looked for so often at most: tokens with invented ones are cheap."""
LARGEST = 256 * 1024
"""Bytes of a key set; GitHub's has 5 KiB."""
MOST_KEYS = 100


class Fetch(Protocol):
    """GET of a configured https address; not redirected, with a time-out of seconds."""

    def __call__(self, url: str, at_most: int) -> bytes:
        """The body; Unreachable where there is none, or a longer one."""


@dataclass
class _Known:
    keys: Mapping[str, RSAPublicKey] = field(default_factory=dict)
    read_at: float = float("-inf")
    asked_at: float = float("-inf")


class Keys:
    """Keys by issuer and `kid`; safe to share between threads."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._known: dict[str, _Known] = {}
        self._lock = Lock()

    def key(self, issuer: Issuer, kid: str) -> RSAPublicKey:
        """The key of that name.

        Raises BadCiToken where the issuer has none of it, Unreachable where nobody can tell.
        """
        with self._lock:  # who waits here would ask the same
            known = self._known.setdefault(issuer.url, _Known())
            now = self._clock()
            is_stale = now - known.read_at > FRESH_S
            if (kid not in known.keys or is_stale) and now - known.asked_at >= ASK_EVERY_S:
                self._ask(issuer, known, now)
        if self._clock() - known.read_at > KEPT_S:
            raise Unreachable(
                f"the keys of {issuer.source} cannot be read",
                effect="Production is unchanged by this call: nobody was signed in.",
                next_step="Try again; meanwhile a person can ask: rollback-manager start SERVICE",
            )
        if kid not in known.keys:
            raise BadCiToken("its key is not the issuer's")
        return known.keys[kid]

    def _ask(self, issuer: Issuer, known: _Known, now: float) -> None:
        known.asked_at = now
        try:
            known.keys = _read(self._fetch(issuer.jwks, LARGEST))
            known.read_at = now
        except (RollbackError, ValueError) as error:
            logging.getLogger(__name__).warning(
                "the keys of an issuer cannot be read",
                extra={"issuer": issuer.url, "because": str(error)[:300]},
            )


def _read(body: bytes) -> Mapping[str, RSAPublicKey]:
    """The usable ones of a key set; ValueError where it is none."""
    document = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a key set")
    found: dict[str, RSAPublicKey] = {}
    for one in listed[:MOST_KEYS]:
        if isinstance(one, dict) and _is_for_us(one):
            found[str(one["kid"])] = _key(one)
    if not found:
        raise ValueError("no key in it is for signatures with " + ALGORITHM)
    return found


def _is_for_us(one: Mapping[str, Any]) -> bool:
    return (
        one.get("kty") == "RSA"
        and isinstance(one.get("kid"), str)
        and one.get("use", "sig") == "sig"
        and one.get("alg", ALGORITHM) == ALGORITHM
    )


def _key(one: Mapping[str, Any]) -> RSAPublicKey:
    try:
        key = jwt.PyJWK(dict(one), ALGORITHM).key
    except jwt.PyJWTError as error:
        raise ValueError("a key in it cannot be read") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("a key in it is not a public one")
    return key
