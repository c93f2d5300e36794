"""A canary configuration of Kayenta, on the minutes of both versions: its score, and what it means.

Kayenta asks at the end of hours; here the newest minutes are scored again each minute, and a test
of fixed size that is asked again errs more often than its confidence says (judge.py).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.imported.signals import Minutes, requests_of, value
from rollback_manager.statistics.kayenta.judge import judge as judge_samples
from rollback_manager.statistics.kayenta.rules import (
    Bounds,
    Classification,
    Direction,
    Label,
    MetricRules,
)
from rollback_manager.statistics.kayenta.scores import (
    Grade,
    Judged,
    grade,
    score,
)
from rollback_manager.watch.judges import named
from rollback_manager.watch.kayenta_judge import FEWEST_POINTS, KayentaJudge, KayentaMetric
from rollback_manager.watch.signals import Signal, Subject

COMPARATOR = "the old version's same minutes, by Kayenta's judge"
PERCENT = 100.0
"""Ratios are judged in percent: the interval is only as fine as 1e-4 of the unit (intervals.py)."""
BAD = (Label.HIGH, Label.LOW)


class Compared(NamedTuple):
    """One metric's label, and how many minutes of each version it rests on."""

    metric: KayentaMetric
    found: Classification
    minutes: int

    @property
    def is_bad(self) -> bool:
        """Worse, as far as its samples can tell."""
        return self.found.label in BAD

    @property
    def is_known(self) -> bool:
        """Whether there was enough to compare."""
        return self.is_bad or self.found.label is Label.PASS


def judge_kayenta(
    judge: KayentaJudge, new: Minutes, old: Minutes, age_minutes: int
) -> tuple[Finding, ...]:
    """One finding per subject of its metrics, always the same ones.

    Both lists are of the same minutes. A failing score blames the subjects whose metrics are
    worse. No data lowers no score, however much is missing (Kayenta's own is 0 from one half on),
    and leaves no pass: then nobody can tell.
    age_minutes: since the new version's first users, to the end of the newest minute.
    """
    length = min(judge.minutes, max(0, age_minutes - judge.after_minutes), len(new), len(old))
    mine, beside = _newest(new, length), _newest(old, length)
    compared = [_compared(metric, beside, mine) for metric in judge.metrics]
    points, answer = _graded(judge, compared)
    return tuple(
        _finding(judge, subject, compared, points, answer, mine, beside)
        for subject in dict.fromkeys(metric.signal.subject for metric in judge.metrics)
    )


def _newest(minutes: Minutes, length: int) -> Minutes:
    return minutes[len(minutes) - length :]


def _compared(metric: KayentaMetric, old: Minutes, new: Minutes) -> Compared:
    scale = PERCENT if metric.signal.is_ratio else 1.0
    before, after = (
        [one * scale for minute in side if (one := value(minute, metric.signal)) is not None]
        for side in (old, new)
    )
    minutes = min(len(before), len(after))
    if minutes < FEWEST_POINTS:
        because = f"{minutes} of {FEWEST_POINTS} minutes measured"
        return Compared(metric, Classification(label=Label.NO_DATA, because=because), minutes)
    return Compared(metric, judge_samples(before, after, _rules(metric)), minutes)


def _rules(metric: KayentaMetric) -> MetricRules:
    falls = metric.signal is Signal.SUCCESS_RATIO
    return MetricRules(
        direction=Direction.DECREASE if falls else Direction.INCREASE,
        outlier_factor=metric.outlier_factor,
        measure=metric.measure,
        effect=_bounds(metric, metric.effect),
        critical_effect=_bounds(metric, metric.critical_effect),
        critical=metric.critical,
    )


def _bounds(metric: KayentaMetric, bound: float | None) -> Bounds | None:
    if bound is None:
        return None
    neutral = metric.measure.no_effect
    return Bounds(low=min(bound, neutral), high=max(bound, neutral))


def _graded(judge: KayentaJudge, compared: Sequence[Compared]) -> tuple[float, Answer]:
    """The score of what could be compared, in points of 100, and the answer."""
    judged = [
        Judged(
            metric=one.metric.name,
            label=one.found.label if one.is_known else Label.NO_DATA,
            critical=one.found.critical and one.is_known,
            groups=one.metric.groups,
        )
        for one in compared
    ]
    points = score(judged, judge.weights, too_much_missing=math.inf).summary
    match grade(points, judge.pass_at, judge.marginal_at):
        case Grade.FAIL:
            return points, Answer.REGRESSED
        case Grade.PASS if all(one.is_known for one in compared):
            return points, Answer.FINE_SO_FAR
        case _:
            return points, Answer.CANNOT_TELL


def _finding(
    judge: KayentaJudge,
    subject: Subject,
    compared: Sequence[Compared],
    points: float,
    answer: Answer,
    new: Minutes,
    old: Minutes,
) -> Finding:
    """The evidence is in points below 100, not in nats; the effect is that of the errors."""
    own = [one for one in compared if one.metric.signal.subject is subject]
    if answer is Answer.REGRESSED and not any(one.is_bad for one in own):
        answer = Answer.CANNOT_TELL
    usual, now = _pooled(old), _pooled(new)
    known = subject is Subject.ERRORS and usual is not None and now is not None
    return Finding(
        test=named(judge, subject),
        answer=answer,
        evidence_nats=100.0 - points,
        threshold_nats=100.0 - judge.marginal_at,
        requests=requests_of(new),
        comparator=COMPARATOR,
        because=_because(judge, compared, points),
        effect=now - usual if known and now is not None and usual is not None else None,
        usual=usual if known else None,
    )


def _pooled(minutes: Minutes) -> float | None:
    """The share of all requests that failed."""
    read = [one for one in minutes if one.kind == "reading"]
    requests = sum(one.requests for one in read)
    return sum(one.errors for one in read) / requests if requests else None


def _because(judge: KayentaJudge, compared: Sequence[Compared], points: float) -> str:
    said = [f"score {points:g}, pass from {judge.pass_at:g}, failure below {judge.marginal_at:g}"]
    for one in compared:
        if not one.is_known:
            said.append(f"{one.metric.name} not compared: {one.found.because}")
        elif one.is_bad:
            ratio = "" if one.found.ratio is None else f", {one.found.ratio:.3g} times"
            said.append(f"{one.metric.name} {one.found.label}{ratio}: {one.found.because}")
    return "; ".join(said)
