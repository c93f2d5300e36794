"""Token buckets: how often somebody may ask, with a reserve for a moment of haste.

Each caller has a bucket; asking takes a token, and tokens come back at a steady rate.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

MOST = 10_000
"""Callers that are remembered. Whoever is forgotten begins with a full bucket: an attacker with so
many addresses has the whole gateway's limits to pass."""


class Rate(NamedTuple):
    """per_s: tokens that come back in a second. burst: those of a full bucket."""

    per_s: float
    burst: float


class Buckets:
    """One bucket for each caller. monotonic: a clock in seconds that never goes back."""

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self._rate, self._monotonic = rate, monotonic
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """0 if this caller may, and a token is taken; otherwise seconds until there is one."""
        now = self._monotonic()
        tokens, since = self._held.pop(caller, (self._rate.burst, now))
        tokens = min(self._rate.burst, tokens + (now - since) * self._rate.per_s)
        may = tokens >= 1
        self._held[caller] = (tokens - 1 if may else tokens), now
        while len(self._held) > MOST:
            self._held.popitem(last=False)
        return 0.0 if may else (1 - tokens) / self._rate.per_s
