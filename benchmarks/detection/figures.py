"""The cells that are measured, and the figures that come of them."""

import math
import time
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from benchmarks.detection.cells import Cell, delays, first_alarms
from benchmarks.detection.families import EXTRA, FAMILIES, Maker
from benchmarks.detection.history import Histories
from benchmarks.detection.world import HEALTHY, SHARE, SHIFTED, WATCH_S, Fault, Releases, S, World
from benchmarks.figures import progress
from rollback_manager.statistics.evidence import Amounts
from rollback_manager.statistics.release_watch import ReleaseWatch

TRAFFICS = (1, 10, 100)
FAULTS = {
    "errors_11": Fault(errors=0.11),
    "errors_25": Fault(errors=0.25),
    "errors_50": Fault(errors=0.50),
    "p95_x2.1": Fault(latency=2.1),
    "late_11": Fault(errors=0.11, onset_s=600),
}
SEEDS_APART = 100
"""Between two cells, more than a cell has batches."""


@dataclass(frozen=True)
class Plan:
    """Releases per cell: healthy ones in world S, in each shifted world, and bad ones."""

    seed: int
    healthy: int
    shifted: int
    bad: int
    makers: dict[str, Maker]

    @classmethod
    def full(cls, seed: int) -> "Plan":
        """The figures that are reported."""
        return cls(seed, 4000, 4000, 1000, FAMILIES | EXTRA)

    @classmethod
    def quick(cls, seed: int) -> "Plan":
        """Enough to see that nothing broke."""
        return cls(seed, 1000, 300, 100, FAMILIES)

    def with_healthy(self, releases: int) -> "Plan":
        """So many healthy releases in every cell."""
        return replace(self, healthy=releases, shifted=releases)


@dataclass(frozen=True)
class Share:
    """A count out of many releases, and its 95 % interval (Wilson), per 1,000."""

    hits: int
    releases: int

    @property
    def per_1000(self) -> float:
        """The share itself."""
        return 1000 * self.hits / self.releases

    @property
    def interval(self) -> tuple[float, float]:
        """Between which the true share lies."""
        n, p, z2 = self.releases, self.hits / self.releases, 1.96**2
        centre, scale = p + z2 / (2 * n), 1 + z2 / n
        spread = 1.96 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return max(0.0, 1000 * (centre - spread) / scale), 1000 * (centre + spread) / scale

    @property
    def words(self) -> str:
        """For the table."""
        low, high = self.interval
        return f"{self.per_1000:.1f} ({low:.1f} – {high:.1f})"


@dataclass(frozen=True)
class Delay:
    """How long a fault went unnoticed: seconds, infinite where it was not found."""

    median_s: float
    p95_s: float
    mean_s: float

    @classmethod
    def of(cls, first: Amounts, onset_s: float) -> "Delay":
        """From first alarms; the mean ends with the watch."""
        late = delays(first, onset_s)
        median, p95 = (float(np.quantile(late, q, method="higher")) for q in (0.5, 0.95))
        return cls(median, p95, float(np.minimum(late, WATCH_S - onset_s).mean()))

    @property
    def words(self) -> str:
        """For the table."""
        return f"{_or_dash(self.median_s)} ({_or_dash(self.p95_s)})"


def _or_dash(seconds: float) -> str:
    return f"{seconds:.0f}" if math.isfinite(seconds) else "–"


@dataclass
class Results:
    """All figures of one run, by (world or fault, family) and traffic."""

    plan: Plan
    traffics: tuple[int, ...] = TRAFFICS
    falses: dict[tuple[str, str], dict[int, Share]] = field(default_factory=dict)
    delays: dict[tuple[str, str], dict[int, Delay]] = field(default_factory=dict)
    updates_per_second: float = 0.0
    alone_per_second: float = 0.0

    @property
    def lost_ratio(self) -> float:
        """Requests failed by bad releases until noticed, shipped ÷ static 3 of 5, all errors."""
        lost = {name: self._lost(name) for name in ("shipped", "static 3 of 5")}
        return lost["shipped"] / lost["static 3 of 5"]

    def _lost(self, family: str) -> float:
        return sum(
            delay.mean_s * (FAULTS[fault].errors - S.base_error) * rps
            for (fault, name), row in self.delays.items()
            for rps, delay in row.items()
            if name == family and FAULTS[fault].errors
        )

    def as_json(self) -> dict[str, object]:
        """What scripts read: the shipped detector at the top, all families below."""
        families = sorted({name for _, name in self.falses})
        return {
            "seed": self.plan.seed,
            "releases": {
                "healthy": self.plan.healthy,
                "shifted": self.plan.shifted,
                "bad": self.plan.bad,
            },
            "false_per_1000": self._false("S", "shipped"),
            "false_interval_per_1000": {
                str(rps): [round(one, 2) for one in share.interval]
                for rps, share in self.falses["S", "shipped"].items()
            },
            "shifted": {world: self._false(world, "shipped") for world in SHIFTED},
            "median_delay_s": self._delays("shipped", "median_s"),
            "p95_delay_s": self._delays("shipped", "p95_s"),
            "lost_user_requests_ratio": round(self.lost_ratio, 3),
            "updates_per_second": round(self.updates_per_second),
            "updates_per_second_one_release": round(self.alone_per_second),
            "families": {
                name: {
                    "false_per_1000": self._false("S", name),
                    "shifted": {world: self._false(world, name) for world in SHIFTED},
                    "median_delay_s": self._delays(name, "median_s"),
                    "p95_delay_s": self._delays(name, "p95_s"),
                }
                for name in families
            },
        }

    def _false(self, world: str, family: str) -> dict[str, float]:
        return {str(rps): round(one.per_1000, 2) for rps, one in self.falses[world, family].items()}

    def _delays(self, family: str, figure: str) -> dict[str, dict[str, float | None]]:
        """None stands for "not found", which JSON has no number for."""
        return {
            fault: {str(rps): _finite(getattr(one, figure)) for rps, one in row.items()}
            for (fault, name), row in self.delays.items()
            if name == family
        }


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def measure(plan: Plan) -> Results:
    """Run every cell of the plan. The same plan gives the same figures, speed apart."""
    results, histories, seeds = Results(plan), Histories(), count(plan.seed, SEEDS_APART)
    results.updates_per_second = _speed(histories, releases=1000, seconds=20)
    results.alone_per_second = _speed(histories, releases=1, seconds=500)
    for fault_name, fault in FAULTS.items():
        for rps in TRAFFICS:
            cell = Cell(S, fault, rps, plan.bad, next(seeds))
            for name, first in first_alarms(cell, plan.makers, histories).items():
                row = results.delays.setdefault((fault_name, name), {})
                row[rps] = Delay.of(first, fault.onset_s)
                if name == "shipped":
                    progress(f"{fault_name} at {rps} rps: {row[rps].words} s")
    worlds: dict[str, World] = {"S": S, **SHIFTED}
    for world_name, world in worlds.items():
        for rps in TRAFFICS:
            releases = plan.healthy if world is S else plan.shifted
            cell = Cell(world, HEALTHY, rps, releases, next(seeds))
            for name, first in first_alarms(cell, plan.makers, histories).items():
                share = Share(int(np.isfinite(first).sum()), first.size)
                results.falses.setdefault((world_name, name), {})[rps] = share
                if name == "shipped":
                    progress(f"{world_name} at {rps} rps: {share.words} per 1,000")
    return results


def _speed(histories: Histories, releases: int, seconds: int) -> float:
    """Updates of one release by the shipped detector per second, `releases` at once."""
    stream = iter(Releases(S, HEALTHY, 10, releases, seed=1))
    intervals = [next(stream).interval for _ in range(seconds)]
    watch = ReleaseWatch.begin(histories.of(S, 10, seed=1), SHARE, releases)
    began = time.perf_counter()
    for interval in intervals:
        watch = watch.with_more(interval)
        _ = watch.regressed
    return releases * seconds / (time.perf_counter() - began)
