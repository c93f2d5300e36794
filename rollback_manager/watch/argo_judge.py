"""An analysis of Argo Rollouts, as the catalogue has it. Pure, and without numpy."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from rollback_manager.statistics.argo.conditions import ConditionError, evaluate, read_condition
from rollback_manager.statistics.argo.phases import Phase
from rollback_manager.values import Count, Value
from rollback_manager.watch.signals import (
    MOST_MINUTES,
    JudgeName,
    Minutes,
    Role,
    Signal,
    names_differ,
)

HUGE = 1e12
"""A latency or a rate that no condition could let pass."""


def _readable(text: str) -> str:
    try:
        read_condition(text)
    except ConditionError as error:
        raise ValueError(error.what) from None
    return text


Condition = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
"""In Argo Rollouts' words, of one number: `result >= 0.95`."""


def why_senseless(
    signal: Signal, times: float, success: str | None = None, failure: str | None = None
) -> str:
    """Why these conditions cannot be meant for this signal; empty if they can.

    times: as in ArgoMetric. A condition that every value meets, or none, decides nothing.
    """
    best, worst = _best_and_worst(signal, times)
    if best is not None and evaluate(best, success, failure) is Phase.FAILED:
        return f"the best value there can be, {best:g}, would fail it: the signal or unit differs"
    if worst is not None and evaluate(worst, success, failure) is not Phase.FAILED:
        return f"the worst value there can be, {worst:g}, would not fail it"
    return ""


def _best_and_worst(signal: Signal, times: float) -> tuple[float | None, float | None]:
    match signal:
        case Signal.ERROR_RATIO:
            return 0.0, times
        case Signal.SUCCESS_RATIO:
            return times, 0.0
        case Signal.ERRORS_PER_S | Signal.LATENCY_P95_MS:
            return 0.0, HUGE
        case Signal.REQUESTS_PER_S:
            return None, None


class ArgoMetric(Value):
    """One metric of the new version alone, measured again and again and held to two conditions.

    times: the value is multiplied by this before, for conditions written in another unit. failures,
    inconclusive, errors_in_a_row: so many are tolerated. The newest `count` measurements are
    judged; without it all that are kept. Windows of fewer than 20 requests are no measurement.
    """

    name: JudgeName
    signal: Signal
    times: Annotated[float, Field(gt=0)] = 1
    success: Condition | None = None
    failure: Condition | None = None
    every_minutes: Minutes = 1
    over_minutes: Minutes = 1
    """How many minutes one measurement looks back over."""
    after_minutes: Annotated[int, Field(ge=0, le=MOST_MINUTES)] = 0
    """Minutes after the first users before the first measurement."""
    count: Minutes | None = None
    failures: Count = 0
    inconclusive: Count = 0
    errors_in_a_row: Count = 4
    successes_in_a_row: Count = 0

    @model_validator(mode="after")
    def _can_fail(self) -> "ArgoMetric":
        if self.success is None and self.failure is None:
            raise ValueError("neither success nor failure is said, so nothing can fail")
        if because := why_senseless(self.signal, self.times, self.success, self.failure):
            percent = "; for a condition in percent: times: 100" if self.signal.is_ratio else ""
            raise ValueError(because + percent)
        if self.count is not None and self.failures >= self.count:
            raise ValueError(f"{self.failures} failures of {self.count} are tolerated: never fails")
        if self.reach_minutes > MOST_MINUTES:
            raise ValueError(
                f"it needs {self.reach_minutes} minutes, and {MOST_MINUTES} are kept:"
                " lower every_minutes"
            )
        return self

    @property
    def wanted(self) -> int:
        """The measurements that a verdict may need."""
        return max(self.count or 0, self.failures + 1, self.successes_in_a_row)

    @property
    def reach_minutes(self) -> int:
        """From the oldest minute of the oldest measurement that is judged to now."""
        return (self.wanted - 1) * self.every_minutes + self.over_minutes


class ArgoJudge(Value):
    """The metrics of one analysis of Argo Rollouts; the worst of them counts."""

    kind: Literal["argo"]
    name: JudgeName
    role: Role = Role.ADVISES
    metrics: Annotated[tuple[ArgoMetric, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> "ArgoJudge":
        names_differ("metrics", (one.name for one in self.metrics))
        return self

    @property
    def reach_minutes(self) -> int:
        """Minutes of readings that it needs; without a count all that may be kept."""
        endless = any(one.count is None for one in self.metrics)
        return MOST_MINUTES if endless else max(one.reach_minutes for one in self.metrics)
