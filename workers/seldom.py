"""Secrets in stores that are far away, for a process that strangers can make ask for them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from activities.secrets import SecretStore
from rollback_manager.errors import TemporaryError

RECENT_S = 5.0
"""A secret that was replaced is used so late at most."""


@dataclass
class _Known:
    secret: str
    asked_at: float


class Seldom:
    """A store behind which each secret is asked for once in RECENT_S, whoever needs it.

    Only one thread waits for the store; the others go on with what was known before, and so do all
    while the store does not answer. clock: in seconds, of which none goes back.
    """

    def __init__(self, store: SecretStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._known: dict[str, _Known] = {}
        self._asking = Lock()

    def read(self, place: str) -> str:
        """As the store answers; what it raises where nothing is known from before."""
        known = self._known.get(place)
        if known is not None and self._clock() - known.asked_at < RECENT_S:
            return known.secret
        if not self._asking.acquire(blocking=known is None) and known is not None:
            return known.secret
        try:
            return self._asked(place)
        finally:
            self._asking.release()

    def _asked(self, place: str) -> str:
        known = self._known.get(place)
        try:
            secret = self._store.read(place)
        except TemporaryError:
            if known is None:
                raise
            secret = known.secret
        self._known[place] = _Known(secret, self._clock())
        return secret
