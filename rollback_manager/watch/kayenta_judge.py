"""Kayenta's judge, as the catalogue has it. Pure, and without numpy."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rollback_manager.statistics.kayenta.rules import Measure
from rollback_manager.values import Value
from rollback_manager.watch.signals import (
    MOST_MINUTES,
    JudgeName,
    Points,
    Role,
    Signal,
    names_differ,
)

FEWEST_POINTS = 10
"""Minutes of both versions below which two samples are not compared: the judge's interval is that
of large samples, and a poor approximation for a handful (ours)."""

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
        names_differ("metrics", (one.name for one in self.metrics))
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
