"""World S: releases per second, with the noise that makes naive rules roll back good ones.

All numbers are those of the published study's "real" setting; each shifted world changes one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.outages import Outages
from rollback_manager.statistics.evidence import Amounts, Arm, Interval

SHARE = 0.1
"""Of all traffic that the new version gets: a 10 % canary. Rates are named by the canary's."""
WATCH_S, BEFORE_S = 1800, 300
"""Watched from the start; and before it, where the control alone is seen."""
NOISE_S = 60.0
SIGMA = 0.7
"""Of the lognormal latency."""
P95_Z = 1.6448536
DAY_S = 86_400.0
_Z = np.linspace(-8, 8, 16_001)
_PHI = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in _Z])


@dataclass(frozen=True)
class World:
    """How a healthy service behaves.

    Ratios and log-standard-deviations; warm-ups are upper ends of uniform draws. own_blips: share
    of a dependency's blips that hit the new version only. one_face: such a blip fails requests or
    slows them, by the toss of a coin, instead of both. outage_s: length of an outage upstream, as
    bad as a blip, that hits both versions at some time of the watch.
    """

    base_error: float = 0.01
    common_noise: float = 0.4
    own_noise: float = 0.2
    warm_up: float = 0.06
    latency_common_noise: float = 0.10
    latency_own_noise: float = 0.05
    latency_warm_up: float = 1.5
    own_blips: float = 0.0
    one_face: bool = False
    outage_s: float = 0.0


S = World()
SHIFTED = {
    "own noise doubled": replace(S, own_noise=0.4, latency_own_noise=0.10),
    "warm-up doubled": replace(S, warm_up=0.12, latency_warm_up=3.0),
    "one blip in ten hits the new version only": replace(S, own_blips=0.1),
    "baseline 0.2 %": replace(S, base_error=0.002),
    "baseline 3 %": replace(S, base_error=0.03),
    "one blip in ten hits the new version only, with one face": replace(
        S, own_blips=0.1, one_face=True
    ),
    "outage upstream for ten minutes": replace(S, outage_s=600.0),
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with the new version from `onset_s` on: further errors, slower answers.

    errors: total error ratio of the new version at the base rate, noise apart, e.g. 0.11; the
    fault fails a fixed share of its requests, whatever else fails.
    """

    errors: float = 0.0
    latency: float = 1.0
    onset_s: int = 0


HEALTHY = Fault()


class Second(NamedTuple):
    """One second of all releases; very_slow: the new version's above twice the usual P95."""

    interval: Interval
    very_slow: Amounts


class Releases:
    """Many releases of one world, second by second. The same seed gives the same releases."""

    def __init__(self, world: World, fault: Fault, rps: float, count: int, seed: int) -> None:
        self.world, self.fault, self.rps, self.count = world, fault, rps, count
        self._chance = np.random.default_rng(seed)
        self._noise = self._chance.standard_normal((6, count))
        self._wave = self._chance.uniform(0, 2 * math.pi, count)
        self._warm = self._chance.uniform(0, world.warm_up, count)
        self._latency_warm = self._chance.uniform(0, world.latency_warm_up, count)
        self._blip_left, self._blip = np.zeros(count), np.zeros(count)
        self._blip_latency, self._blip_own = np.ones(count), np.zeros(count, dtype=bool)
        self._outage = Outages.drawn(world.outage_s, WATCH_S, count, self._chance)

    def __iter__(self) -> Iterator[Second]:
        """From BEFORE_S before the start to WATCH_S after it."""
        for at_s in range(-BEFORE_S + 1, WATCH_S + 1):
            yield self._second(at_s)

    def _second(self, at_s: int) -> Second:
        self._drift()
        out, slower = self._outage.at(at_s)
        traffic = self.rps * (1 + 0.5 * np.sin(2 * math.pi * at_s / DAY_S + self._wave))
        running = at_s > 0
        new, very_slow = self._new(at_s, traffic * running, out, slower)
        control, _ = self._arm(
            traffic / SHARE - traffic * running,
            self._errors(1) + self._blip * ~self._blip_own + out,
            self._latency(1) * np.where(self._blip_own, 1, self._blip_latency) * slower,
        )
        every = np.array([float(at_s)])
        return Second(Interval(every, np.ones(1), new, control), very_slow)

    def _new(
        self, at_s: int, traffic: Amounts, out: Amounts, slower: Amounts
    ) -> tuple[Arm, Amounts]:
        fault, since = self.fault, at_s > self.fault.onset_s
        extra = max(0.0, fault.errors - self.world.base_error) if since else 0.0
        warm = self._warm * math.exp(-max(at_s, 0) / 20)
        errors = self._errors(0) + self._blip + warm + extra + out
        latency = self._latency(0) * self._blip_latency * (fault.latency if since else 1.0) * slower
        return self._arm(
            traffic, errors, latency * (1 + self._latency_warm * math.exp(-max(at_s, 0) / 30))
        )

    def _drift(self) -> None:
        """One second of noise that is forgotten in a minute, and of blips."""
        keep = math.exp(-1 / NOISE_S)
        fresh = self._chance.standard_normal(self._noise.shape)
        self._noise = keep * self._noise + math.sqrt(1 - keep * keep) * fresh
        self._blip_left = np.maximum(self._blip_left - 1, 0)
        over = self._blip_left == 0
        self._blip[over], self._blip_latency[over], self._blip_own[over] = 0, 1, False
        starts = np.flatnonzero(over & (self._chance.random(self.count) < 1 / 3600))
        self._blip_left[starts] = self._chance.uniform(20, 90, starts.size)
        self._blip[starts] = self._chance.uniform(0.05, 0.20, starts.size)
        self._blip_latency[starts] = self._chance.uniform(1.5, 4, starts.size)
        self._blip_own[starts] = self._chance.random(starts.size) < self.world.own_blips
        if self.world.one_face:
            self._show_one_face(starts[self._blip_own[starts]])

    def _show_one_face(self, blips: NDArray[np.intp]) -> None:
        fails = self._chance.random(blips.size) < 0.5
        self._blip[blips[~fails]] = 0
        self._blip_latency[blips[fails]] = 1

    def _errors(self, arm: int) -> Amounts:
        noise = self.world.common_noise * self._noise[2] + self.world.own_noise * self._noise[arm]
        return np.asarray(self.world.base_error * np.exp(noise))

    def _latency(self, arm: int) -> Amounts:
        common = self.world.latency_common_noise * self._noise[5]
        return np.asarray(np.exp(common + self.world.latency_own_noise * self._noise[3 + arm]))

    def _arm(self, traffic: Amounts, errors: Amounts, latency: Amounts) -> tuple[Arm, Amounts]:
        """Counts; requests above the usual P95 are slow, above twice the usual P95 very slow.

        Failed, slow and other requests of Poisson arrivals are independent Poisson counts.
        """
        errors = np.minimum(errors, 1.0)
        slow = _above(latency, math.exp(P95_Z * SIGMA))
        very = _above(latency, 2 * math.exp(P95_Z * SIGMA))
        draw = self._chance.poisson
        failed: Amounts = draw(traffic * errors).astype(float)
        good = traffic * (1 - errors)
        very_slow: Amounts = draw(good * very).astype(float)
        slower = very_slow + draw(good * (slow - very)).astype(float)
        quick: Amounts = draw(good * (1 - slow)).astype(float)
        timed = quick + slower
        return Arm(timed + failed, failed, slower, timed), very_slow


def _above(latency: Amounts, limit: float) -> Amounts:
    """Share of lognormal latencies of median `latency` above `limit`."""
    z = (np.log(latency) - math.log(limit)) / SIGMA
    return np.asarray(np.interp(z, _Z, _PHI), dtype=np.float64)
