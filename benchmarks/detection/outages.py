"""Outages upstream: both versions suffer alike, and longer than from a blip."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from rollback_manager.statistics.evidence import Amounts


@dataclass(frozen=True)
class Outages:
    """One outage a release: from when on, for how long, and what it does to both versions.

    errors: further share of failed requests. latency: factor.
    """

    from_s: Amounts
    for_s: float
    errors: Amounts
    latency: Amounts

    @classmethod
    def drawn(cls, for_s: float, watch_s: float, count: int, chance: np.random.Generator) -> Self:
        """At any time of the watch, as bad as a blip. With a length of 0 nothing is drawn, so that
        worlds without outages keep the releases of their seeds."""
        if not for_s:
            return cls(np.zeros(count), 0.0, np.zeros(count), np.ones(count))
        from_s = chance.uniform(0, max(0.0, watch_s - for_s), count)
        return cls(from_s, for_s, chance.uniform(0.05, 0.20, count), chance.uniform(1.5, 4, count))

    def at(self, at_s: int) -> tuple[Amounts, Amounts]:
        """Further errors, and the factor of latency, at a second."""
        now = (at_s > self.from_s) & (at_s <= self.from_s + self.for_s)
        return self.errors * now, np.where(now, self.latency, 1.0)
