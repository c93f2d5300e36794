"""How far a metric is off, in which direction, and where it is going. Pure."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.incidents.triggers import Severity
from rollback_manager.values import Value


class Worse(StrEnum):
    """In which direction a metric gets worse."""

    UP = "up"
    DOWN = "down"


class Trend(StrEnum):
    """Where a metric is going."""

    WORSENING = "worsening"
    STEADY = "steady"
    IMPROVING = "improving"
    UNKNOWN = "unknown"


class Metric(Value):
    """One metric now and as it was. recent: values up to now, the oldest first.

    matters_from: the smallest amount of it that means anything, in its own unit. It stands for a
    baseline that is smaller, so that a baseline of 0 is one.
    """

    name: str
    value: float
    baseline: float | None
    worse: Worse
    matters_from: Annotated[float, Field(gt=0)]
    recent: tuple[float, ...] = ()
    business: bool = False


class Deviation(Value):
    """How far a metric is off. share: of the baseline, above 0 is worse; None without a baseline.

    severity: None where it is no worse than normal, or nothing says what is normal.
    """

    metric: str
    value: float
    baseline: float | None
    share: float | None
    severity: Severity | None
    trend: Trend
    business: bool = False

    def __str__(self) -> str:
        """In words: `error ratio 0.11, normal 0.01: 1000% worse, worsening`."""
        if self.share is None:
            return f"{self.metric} {self.value:g}, nothing says what is normal, {self.trend}"
        how = "worse" if self.share > 0 else "better"
        off = f"{abs(self.share):.0%} {how}" if self.share else "as normal"
        return f"{self.metric} {self.value:g}, normal {self.baseline:g}: {off}, {self.trend}"


def deviation(metric: Metric) -> Deviation:
    """(value − baseline) ÷ baseline, counted towards worse.

    The seed takes the absolute value, by which an improvement is an incident, and skips a baseline
    of 0, by which errors in a faultless service are none.
    """
    share = None
    if metric.baseline is not None:
        towards = 1 if metric.worse is Worse.UP else -1
        off = towards * (metric.value - metric.baseline)
        share = off / max(abs(metric.baseline), metric.matters_from)
    return Deviation(
        metric=metric.name,
        value=metric.value,
        baseline=metric.baseline,
        share=share,
        severity=None if share is None else _severity(share),
        trend=trend(metric),
        business=metric.business,
    )


BANDS = (
    (1.0, Severity.CRITICAL),
    (0.5, Severity.HIGH),
    (0.2, Severity.MEDIUM),
    (0.0, Severity.LOW),
)
"""More than this share off is so severe. The seed names no bands; these are the limits of its
table: 200 % of a baseline is 100 % off, throughput 50 %, business 20 %."""


def _severity(share: float) -> Severity | None:
    return next((severity for above, severity in BANDS if share > above), None)


STEADY_WITHIN = 0.1
"""Change of a metric between its first and its last third that is still steady (ours)."""


def trend(metric: Metric) -> Trend:
    """Whether the last third of the recent values is worse than the first; under 3 say nothing."""
    third = len(metric.recent) // 3
    if not third:
        return Trend.UNKNOWN
    first, last = (sum(part) / third for part in (metric.recent[:third], metric.recent[-third:]))
    towards = 1 if metric.worse is Worse.UP else -1
    moved = towards * (last - first) / max(abs(first), metric.matters_from)
    if abs(moved) <= STEADY_WITHIN:
        return Trend.STEADY
    return Trend.WORSENING if moved > 0 else Trend.IMPROVING
