"""Judges that people bring along, as the catalogue has them: Kayenta's and Argo Rollouts'.

They judge what is counted here already, minute by minute; no query of theirs is ever sent. Each
says whether it only advises or may alarm. Pure, and without numpy, as all of the catalogue.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.statistics.argo.conditions import ConditionError, evaluate, read_condition
from rollback_manager.statistics.argo.phases import Phase
from rollback_manager.statistics.kayenta.rules import Measure
from rollback_manager.values import Count, Value

MOST_MINUTES = 360
"""Minutes that a judge may look back: a reading of both versions is kept for each (ours)."""
FEWEST_POINTS = 10
"""Minutes of both versions below which two samples are not compared: the judge's interval is that
of large samples, and a poor approximation for a handful (ours)."""

HUGE = 1e12
"""A latency or a rate that no condition could let pass."""


class Subject(StrEnum):
    """What a judge's word is about."""

    ERRORS = "errors"
    LATENCY = "latency"
    THROUGHPUT = "throughput"


class Signal(StrEnum):
    """What can be judged of a version's minute."""

    ERROR_RATIO = "error_ratio"
    SUCCESS_RATIO = "success_ratio"
    ERRORS_PER_S = "errors_per_s"
    LATENCY_P95_MS = "latency_p95_ms"
    REQUESTS_PER_S = "requests_per_s"

    @property
    def subject(self) -> Subject:
        """What it is about."""
        if self is Signal.LATENCY_P95_MS:
            return Subject.LATENCY
        return Subject.THROUGHPUT if self is Signal.REQUESTS_PER_S else Subject.ERRORS

    @property
    def is_ratio(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self in (Signal.ERROR_RATIO, Signal.SUCCESS_RATIO)


class Role(StrEnum):
    """What a judge's bad verdict may do.

    advises: people see it beside our own tests. alarms: it opens an incident too, and is decided
    on like any alarm. Decision 0030 says why the first one is the default.
    """

    ADVISES = "advises"
    ALARMS = "alarms"


JudgeName = Annotated[str, Field(min_length=1, max_length=100)]
Minutes = Annotated[int, Field(ge=1, le=MOST_MINUTES)]
Points = Annotated[float, Field(ge=0, le=100)]
Compared = Literal[Signal.ERROR_RATIO, Signal.SUCCESS_RATIO, Signal.LATENCY_P95_MS]
"""What can be compared between versions with different shares of the traffic."""


class KayentaMetric(Value):
    """One metric, compared with the old version's by Kayenta's judge; only worse counts.

    effect: how large a difference must be to count, as `measure` has it: mean ÷ mean, or the chance
    of being higher. critical_effect: from here on a `critical` metric fails the release alone.
    Left out: any difference that is not chance. A metric without data is no pass for any of them.
    """

    name: JudgeName
    signal: Compared
    groups: tuple[JudgeName, ...] = ()
    measure: Measure = Measure.MEAN_RATIO
    effect: Annotated[float, Field(gt=0)] | None = None
    critical: bool = False
    critical_effect: Annotated[float, Field(gt=0)] | None = None
    outlier_factor: Annotated[float, Field(gt=0)] | None = None
    """Interquartile ranges beyond which a minute is left out; left out itself: none is."""

    @model_validator(mode="after")
    def _effects_point_to_worse(self) -> "KayentaMetric":
        neutral, falls = self.measure.no_effect, self.signal is Signal.SUCCESS_RATIO
        for bound in (self.effect, self.critical_effect):
            if bound is not None and (bound > neutral if falls else bound < neutral):
                word = "at most" if falls else "at least"
                raise ValueError(f"worse means {word} {neutral:g} for {self.signal}, not {bound:g}")
        return self


class KayentaJudge(Value):
    """Kayenta's score of both versions over the same minutes, made anew each minute."""

    kind: Literal["kayenta"]
    name: JudgeName
    role: Role = Role.ADVISES
    metrics: Annotated[tuple[KayentaMetric, ...], Field(min_length=1)]
    weights: dict[JudgeName, Points] = Field(default_factory=dict)
    """Percent of the score by group; groups without one share what is left of 100."""
    pass_at: Points = 95
    """Points from which on it is a pass; 95 and 75 are those of Kayenta's own examples."""
    marginal_at: Points = 75
    """Points below which it is a failure; in between nobody can tell."""
    minutes: Annotated[int, Field(ge=FEWEST_POINTS, le=MOST_MINUTES)] = 60
    """How far back it looks; Kayenta's documentation asks for 50 values and more."""
    after_minutes: Annotated[int, Field(ge=0, le=MOST_MINUTES)] = 0
    """Minutes after the first users that are left out."""

    @model_validator(mode="after")
    def _can_be_scored(self) -> "KayentaJudge":
        _names_differ("metrics", (one.name for one in self.metrics))
        if self.marginal_at > self.pass_at:
            raise ValueError("marginal_at lies above pass_at")
        groups = {group for one in self.metrics for group in one.groups}
        if not groups:
            raise ValueError("no metric is in a group, so there is nothing to add up")
        if unknown := sorted(set(self.weights) - groups):
            raise ValueError(f"weights name groups that no metric is in: {', '.join(unknown)}")
        total = round(sum(self.weights.values()), 6)
        if total > 100 or (total < 100 and not groups - set(self.weights)):
            raise ValueError(f"weights must sum to 100, these sum to {total:g}")
        return self

    @property
    def reach_minutes(self) -> int:
        """Minutes of readings that it needs."""
        return self.minutes


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
        _names_differ("metrics", (one.name for one in self.metrics))
        return self

    @property
    def reach_minutes(self) -> int:
        """Minutes of readings that it needs; without a count all that may be kept."""
        endless = any(one.count is None for one in self.metrics)
        return MOST_MINUTES if endless else max(one.reach_minutes for one in self.metrics)


def _can_be_told_apart(
    judges: tuple[KayentaJudge | ArgoJudge, ...],
) -> tuple[KayentaJudge | ArgoJudge, ...]:
    _names_differ("judges of one kind", (f"{one.kind} {one.name}" for one in judges))
    return judges


Judge = Annotated[KayentaJudge | ArgoJudge, Field(discriminator="kind")]
Judges = Annotated[tuple[Judge, ...], AfterValidator(_can_be_told_apart)]

TRIGGERS = {
    Subject.ERRORS: TriggerKind.CRITICAL_ERROR_RATE,
    Subject.LATENCY: TriggerKind.LATENCY_DEGRADATION,
}
"""A judge of throughput fires none: how much the split sends is not the release's doing."""


def named(judge: KayentaJudge | ArgoJudge, subject: Subject) -> str:
    """How its findings about `subject` are named: the same at every look."""
    return f"{judge.kind}_{subject} {judge.name}"


def trigger_of(test: str) -> TriggerKind | None:
    """The trigger of a finding named by `named`; None for one that fires none, or is another's."""
    kind, _, subject = test.partition(" ")[0].partition("_")
    known = kind in ("kayenta", "argo") and subject in set(Subject)
    return TRIGGERS.get(Subject(subject)) if known else None


def minutes_kept(judges: Iterable[KayentaJudge | ArgoJudge]) -> int:
    """How many minutes of readings these judges need; 0 for none."""
    return max((one.reach_minutes for one in judges), default=0)


def _names_differ(what: str, names: Iterable[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"two {what} have one name: {', '.join(twice)}")
