"""All figures of one run, and what of them becomes JSON."""

import math
from dataclasses import dataclass, field

from benchmarks.detection.plan import FAULTS, TRAFFICS, Plan
from benchmarks.detection.shares import Delay, Share
from benchmarks.detection.world import SHIFTED, S


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
                "slow_families": self.plan.slow,
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
                    "shifted": {
                        world: self._false(world, name)
                        for world in SHIFTED
                        if (world, name) in self.falses
                    },
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
