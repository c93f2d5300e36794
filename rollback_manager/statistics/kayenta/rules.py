"""How one metric is to be judged the way of Netflix's Kayenta, and what may come of it."""

from enum import StrEnum

from rollback_manager.values import Ratio, Value


class Label(StrEnum):
    """What the judge calls a metric of the candidate."""

    PASS = "Pass"  # noqa: S105  # a verdict, not a password
    HIGH = "High"
    LOW = "Low"
    NO_DATA = "Nodata"
    NO_DATA_FAILS = "NodataFailMetric"
    """Nothing to judge, of a metric that must have data: counts as a failed metric."""
    ERROR = "Error"


class Direction(StrEnum):
    """Which differences of the candidate count."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


class Missing(StrEnum):
    """What becomes of missing values: left out, or taken as 0."""

    REMOVE = "remove"
    REPLACE = "replace"


class Measure(StrEnum):
    """How large a difference is: ratio of the means, or chance of being higher (CLES)."""

    MEAN_RATIO = "mean-ratio"
    CLES = "cles"

    @property
    def no_effect(self) -> float:
        """Its value where there is no difference."""
        return 1.0 if self is Measure.MEAN_RATIO else 0.5


class Bounds(Value):
    """An effect counts at or below `low` and at or above `high`."""

    low: float = 1.0
    high: float = 1.0


class MetricRules(Value):
    """How one metric is judged; the defaults are those of Kayenta's judge.

    `effect` and `critical_effect` left out stand for "any effect at all" in terms of `measure`.
    `critical`: a High or Low of at least `critical_effect` fails the release alone, and so does
    missing data. `data_required`: missing data fails the metric.
    """

    confidence: Ratio = 0.98
    tolerance: float = 0.25
    direction: Direction = Direction.EITHER
    missing: Missing = Missing.REMOVE
    outlier_factor: float | None = None
    measure: Measure = Measure.MEAN_RATIO
    effect: Bounds | None = None
    critical_effect: Bounds | None = None
    critical: bool = False
    data_required: bool = False

    def bounds(self, asked: Bounds | None) -> Bounds:
        """The bounds asked for, or those of no effect."""
        neutral = self.measure.no_effect
        return asked or Bounds(low=neutral, high=neutral)


class Classification(Value):
    """The label of one metric, and whether it fails the release on its own.

    `ratio`: candidate's mean ÷ baseline's mean, None where it does not exist.
    """

    label: Label
    critical: bool = False
    ratio: float | None = 1.0
    because: str = ""
