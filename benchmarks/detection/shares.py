"""Shares and delays with what is uncertain about them."""

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.cells import delays
from benchmarks.detection.world import WATCH_S
from rollback_manager.statistics.evidence import Amounts


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
