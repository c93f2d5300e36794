"""A logistic regression on the recorded factors, trained from labelled decisions. Pure.

It is asked only where the rules are not sure. Its coefficients are JSON that a person can read;
with too few labels there is no model, and it says so.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from rollback_manager.decision.calibration import CalibrationReport, report
from rollback_manager.decision.factors import Factors
from rollback_manager.decision.regression import Fit, chance, fit
from rollback_manager.incidents.triggers import Severity
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Count, Ratio, Value

FOLDS = 5
"""Parts of the labels; each is foretold by a model that has not seen it."""

FEATURES: dict[str, Callable[[Factors], float]] = {
    "severity": lambda one: 1.0 + list(Severity).index(one.severity) if one.severity else 0.0,
    "root_cause_confidence": lambda one: one.root_cause.confidence,
    "log_hours_since_deployment": lambda one: math.log1p(one.time_since_deployment_s / 3600),
    "rollback_complexity": lambda one: one.rollback_complexity.score / 100,
    "fix_forward_complexity": lambda one: one.fix_forward_complexity.score / 100,
    "share_of_users": lambda one: one.impact.share_of_users or 0.0,
    "business_drop": lambda one: one.impact.business_drop or 0.0,
    "false_alarms_before": lambda one: math.log1p(one.historical_patterns.false_alarms),
    "at_night": lambda one: float(one.time_of_day < 6 or one.time_of_day >= 22),
    "at_the_weekend": lambda one: float(one.day_of_week >= 5),
    "worst_deviation": lambda one: _worst(one),
}
"""Name → number. A share that was not measured counts as 0: it was not seen to hurt."""


def _worst(factors: Factors) -> float:
    """A thousandfold error ratio is no more telling than a tenfold one."""
    return min(10.0, max((one.share or 0.0 for one in factors.metrics), default=0.0))


class Coefficient(Value):
    """What one feature adds to the log-odds that the release is bad, per standard deviation."""

    feature: str
    weight: float
    mean: float
    scale: float


class DecisionModel(Value):
    """A trained model: coefficients, and how well it foretold labels that it had not seen.

    version: by which the records keep it; 0 where they do not.
    """

    kind: Literal["trained"] = "trained"
    intercept: float
    coefficients: tuple[Coefficient, ...]
    labels: Count
    bad: Count
    report: CalibrationReport
    version: Count = 0
    trained_at: datetime | None = None
    trained_by: str = ""

    @property
    def learnt(self) -> tuple[float, tuple[Coefficient, ...], int]:
        """What makes it another model, whoever trained it when."""
        return self.intercept, self.coefficients, self.labels


class NotTrained(Value):
    """Why there is no model to ask."""

    kind: Literal["not_trained"] = "not_trained"
    because: str = "not trained: no labelled decisions"


class Foretold(Value):
    """How likely the model thinks it that the release is bad, and what weighs most."""

    bad: Ratio
    because: str


Labelled = tuple[Factors, bool]
"""Recorded factors, and whether the release turned out to be bad."""


def train(labelled: Sequence[Labelled], policy: DecisionPolicy) -> DecisionModel | NotTrained:
    """A model from all labels, with a report from five-fold cross-validation."""
    bad = sum(answer for _, answer in labelled)
    fewest = min(bad, len(labelled) - bad)
    if len(labelled) < policy.model_labels or fewest < policy.model_labels_each:
        because = (
            f"not trained: {len(labelled)} labels of {policy.model_labels}, {bad} bad and"
            f" {len(labelled) - bad} not, of each {policy.model_labels_each} are needed"
        )
        return NotTrained(because=because)
    rows = [[read(factors) for read in FEATURES.values()] for factors, _ in labelled]
    answers = [answer for _, answer in labelled]
    whole = fit(rows, answers)
    parts = zip(FEATURES, whole.weights, whole.means, whole.scales, strict=True)
    names = tuple(Coefficient.model_fields)
    return DecisionModel(
        intercept=whole.intercept,
        coefficients=tuple(
            Coefficient.model_validate(dict(zip(names, part, strict=True))) for part in parts
        ),
        labels=len(labelled),
        bad=bad,
        report=report(_foretold_unseen(rows, answers)),
    )


def _foretold_unseen(
    rows: Sequence[Sequence[float]], answers: Sequence[bool]
) -> list[tuple[float, bool]]:
    told: list[tuple[float, bool]] = []
    for fold in range(FOLDS):
        seen = [place for place in range(len(rows)) if place % FOLDS != fold]
        model = fit([rows[place] for place in seen], [answers[place] for place in seen])
        told += [(chance(model, rows[place]), answers[place])
                 for place in range(fold, len(rows), FOLDS)]  # fmt: skip
    return told


def foretell(model: DecisionModel, factors: Factors) -> Foretold:
    """What the model says about these factors; a feature it does not know adds nothing."""
    known = [one for one in model.coefficients if one.feature in FEATURES]
    reads = [FEATURES[one.feature](factors) for one in known]
    whole = Fit(
        intercept=model.intercept,
        weights=tuple(one.weight for one in known),
        means=tuple(one.mean for one in known),
        scales=tuple(one.scale for one in known),
    )
    adds = {
        one.feature: one.weight * (read - one.mean) / one.scale
        for one, read in zip(known, reads, strict=True)
    }
    top = sorted(adds, key=lambda name: -abs(adds[name]))[:3]
    weighs = ", ".join(f"{name} {adds[name]:+.2f}" for name in top)
    error = model.report.expected_error
    return Foretold(
        bad=round(chance(whole, reads), 9),
        because=f"{_named(model)}, calibration error {error:.1%}; weighs most: {weighs}",
    )


def _named(model: DecisionModel) -> str:
    version = f"version {model.version}, " if model.version else ""
    return f"{version}{model.labels} labels"
