"""What a good new version may do worse in its first minutes: caches are cold, pools are empty."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rollback_manager.statistics.evidence import Amounts

Places: TypeAlias = NDArray[np.int_]
EDGES_S = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 130.0, 160.0)
"""Bins of the learning, in seconds since start: narrow where a warm-up changes quickly."""


@dataclass(frozen=True)
class Envelope:
    """Excess hit rate over the control that is forgiven, by second since start; falling.

    `excess[n]` holds at `at_s[n]`; linear in between, constant before the first and after the last.
    """

    at_s: tuple[float, ...]
    excess: tuple[float, ...]

    def __call__(self, at_s: Amounts) -> Amounts:
        """Forgiven excess at each moment."""
        return np.asarray(np.interp(at_s, self.at_s, self.excess), dtype=np.float64)

    def times(self, factor: float) -> "Envelope":
        """As wide as `factor` times this one."""
        return Envelope(self.at_s, tuple(factor * one for one in self.excess))

    @classmethod
    def decaying(cls, first: float, time_constant_s: float) -> Self:
        """`first` at the start, falling by e every `time_constant_s`: for want of history."""
        seconds = tuple(np.linspace(0, 8 * time_constant_s, 65))
        return cls(seconds, tuple(first * np.exp(-s / time_constant_s) for s in seconds))


@dataclass(frozen=True)
class Envelopes:
    """One of each release, in their order."""

    each: tuple[Envelope, ...]

    def __call__(self, at_s: Amounts) -> Amounts:
        """Forgiven excess of each release at its own moment; few envelopes serve many releases."""
        forgiven = np.empty(len(self.each))
        for envelope, places in self._places.items():
            forgiven[places] = envelope(at_s[places])
        return forgiven

    @cached_property
    def _places(self) -> dict[Envelope, Places]:
        places: dict[Envelope, list[int]] = {}
        for place, envelope in enumerate(self.each):
            places.setdefault(envelope, []).append(place)
        return {envelope: np.array(found) for envelope, found in places.items()}


Forgiven = Envelope | Envelopes
"""Of all releases alike, or of each its own."""


@dataclass(frozen=True)
class WarmUp:
    """What good releases of the past did, pooled: counts of both versions, one per bin of EDGES_S.

    Releases are added up because one quiet service's bin holds a handful of requests, which say
    nothing by themselves.
    """

    releases: int
    hits: Amounts
    tries: Amounts
    control_hits: Amounts
    control_tries: Amounts

    @classmethod
    def none(cls) -> Self:
        """Nothing seen."""
        nothing = np.zeros(len(EDGES_S) - 1)
        return cls(0, nothing, nothing, nothing, nothing)

    def __add__(self, other: "WarmUp") -> "WarmUp":
        """Both together."""
        return WarmUp(
            self.releases + other.releases,
            self.hits + other.hits,
            self.tries + other.tries,
            self.control_hits + other.control_hits,
            self.control_tries + other.control_tries,
        )

    def of(self, releases: int) -> "WarmUp":
        """The same counts, of so many releases."""
        return replace(self, releases=releases)

    def excess(self) -> Amounts:
        """Mean excess hit rate of the new version over the control, per bin."""
        control = self.control_hits / np.maximum(self.control_tries, 1)
        return self.hits / np.maximum(self.tries, 1) - control


FLEET_REQUESTS, FLEET_RELEASES = 2000.0, 100.0
"""What the fleet's mean stands for beside the service's own: requests per bin, because few say
little of a rate, and releases, because one differs from the next."""


def learn(own: WarmUp, fleet: WarmUp, spread: float) -> Envelope:
    """The envelope of a service: its mean excess, drawn towards the fleet's, times `spread`.

    `spread` pays for how much releases differ (the largest of a uniform warm-up is twice its mean)
    and for the release that warms up more than those before. Made falling by pooling neighbours
    (isotonic regression, Ayer et al. 1955): a warm-up ends.
    """
    trust = own.tries / (own.tries + FLEET_REQUESTS)
    trust = trust * own.releases / (own.releases + FLEET_RELEASES)
    mean = own.excess() * trust + fleet.excess() * (1 - trust)
    excess = spread * np.maximum(_falling(mean, own.tries + FLEET_REQUESTS), 0)
    middles = tuple((a + b) / 2 for a, b in pairwise(EDGES_S))
    return Envelope(middles, tuple(float(one) for one in excess))


def _falling(values: Amounts, weights: Amounts) -> Amounts:
    """The nearest falling sequence in weighted least squares: pool adjacent violators."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        block = (float(value), float(weight), 1)
        while blocks and blocks[-1][0] < block[0]:
            mean, mass, length = blocks.pop()
            total = mass + block[1]
            block = ((mean * mass + block[0] * block[1]) / total, total, length + block[2])
        blocks.append(block)
    return np.concatenate([np.full(length, mean) for mean, _, length in blocks])
