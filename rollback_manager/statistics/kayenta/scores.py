"""Many metrics, one score: Kayenta's weighted sum of the groups' shares of passed metrics."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from rollback_manager.statistics.kayenta.rules import Label
from rollback_manager.values import Value

JUDGED = (Label.PASS, Label.HIGH, Label.LOW, Label.NO_DATA_FAILS)
TOO_MUCH_MISSING = 0.5
"""Share of metrics without data at which nothing can be said any more; Kayenta's."""


class Judged(Value):
    """One metric with its label. A muted one is shown and never counted."""

    metric: str
    label: Label
    critical: bool = False
    groups: tuple[str, ...] = ()
    muted: bool = False


class Score(Value):
    """From 0, bad, to 100, good; `groups` by name, one without data at 0.

    `because`: why the score is 0 whatever the groups say; empty where they decide.
    """

    summary: float
    groups: dict[str, float]
    because: str = ""


class Grade(StrEnum):
    """What a score means for the release."""

    PASS = "Pass"  # noqa: S105  # a verdict, not a password
    MARGINAL = "Marginal"
    FAIL = "Fail"


def score(
    metrics: Sequence[Judged],
    group_weights: Mapping[str, float],
    too_much_missing: float = TOO_MUCH_MISSING,
) -> Score:
    """The score of a release. Weights are percent; groups without one share what is left of 100."""
    counted = [metric for metric in metrics if not metric.muted]
    labels = _labels_by_group(counted)
    groups = {name: _passed(members) or 0.0 for name, members in labels.items()}
    if failures := [each for each in counted if each.critical and each.label is not Label.PASS]:
        because = f"the critical metric {failures[0].metric} is {failures[0].label}"
        return Score(summary=0, groups=groups, because=because)
    missing = sum(metric.label is Label.NO_DATA for metric in counted)
    if counted and missing / len(counted) >= too_much_missing:
        because = f"{missing} of {len(counted)} metrics have no data"
        return Score(summary=0, groups=groups, because=because)
    return Score(summary=_weighted(labels, group_weights), groups=groups)


def grade(summary: float, pass_at: float, marginal_at: float) -> Grade:
    """Both thresholds are points of 100 and reached when equalled; passing is looked at first."""
    if summary >= pass_at:
        return Grade.PASS
    return Grade.MARGINAL if summary >= marginal_at else Grade.FAIL


def _labels_by_group(metrics: Iterable[Judged]) -> dict[str, list[Label]]:
    groups: dict[str, list[Label]] = {}
    for metric in metrics:
        for name in metric.groups:
            groups.setdefault(name, []).append(metric.label)
    return groups


def _passed(labels: Sequence[Label]) -> float | None:
    """Percent of the judged metrics that passed; None where none could be judged."""
    judged = [label for label in labels if label in JUDGED]
    return judged.count(Label.PASS) / len(judged) * 100 if judged else None


def _weighted(groups: Mapping[str, Sequence[Label]], weights: Mapping[str, float]) -> float:
    """The weighted sum, rounded half up to two decimals. A group without data loses nothing."""
    unweighted = groups.keys() - weights.keys()
    share = (100 - sum(weights.values())) / len(unweighted) if unweighted else 0.0
    total = 0.0
    for name, labels in groups.items():
        passed = _passed(labels)
        total += (100.0 if passed is None else passed) * (weights.get(name, share) / 100)
    return float(Decimal(repr(total)).quantize(Decimal("0.01"), ROUND_HALF_UP))
