"""An analysis of Argo Rollouts, on the new version's minutes: what its limits say of the newest.

Argo Rollouts ends a run at its first verdict. A watch goes on, so here the run is made anew each
minute of the newest measurements: what breaks later is seen, and what is over is forgotten.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rollback_manager.statistics.argo.conditions import evaluate
from rollback_manager.statistics.argo.measurements import Counts, Limits, count, limit_passed
from rollback_manager.statistics.argo.phases import Phase
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.imported.signals import Minutes, measured, requests_of
from rollback_manager.watch.argo_judge import ArgoJudge, ArgoMetric
from rollback_manager.watch.judges import named
from rollback_manager.watch.signals import Subject

COMPARATOR = "the limits of an analysis of Argo Rollouts"


class Measured(NamedTuple):
    """One measurement. ended: minutes ago."""

    phase: Phase
    value: float | None
    ended: int


class _Verdict(NamedTuple):
    metric: ArgoMetric
    answer: Answer
    counts: Counts
    lasted_s: float | None
    because: str


def judge_argo(judge: ArgoJudge, new: Minutes, age_minutes: int) -> tuple[Finding, ...]:
    """One finding per subject of its metrics, always the same ones; the worst metric speaks.

    age_minutes: since the new version's first users, to the end of the newest minute.
    """
    verdicts = [_verdict(metric, new, age_minutes) for metric in judge.metrics]
    subjects = dict.fromkeys(metric.signal.subject for metric in judge.metrics)
    return tuple(
        _finding(judge, subject, [v for v in verdicts if v.metric.signal.subject is subject], new)
        for subject in subjects
    )


def measurements(metric: ArgoMetric, new: Minutes, age_minutes: int) -> list[Measured]:
    """Those that are judged, the oldest first: the newest `count`, or all that the minutes hold."""
    ends = [
        place
        for place in range(1, len(new) + 1)
        if _is_due(metric, age_minutes - (len(new) - place)) and place >= metric.over_minutes
    ]
    kept = ends[-metric.count :] if metric.count is not None else ends
    return [_measured(metric, new, end) for end in kept]


def _is_due(metric: ArgoMetric, age: int) -> bool:
    """Whether the minute that ended at this age is measured: the first after the delay, then on."""
    since = age - metric.after_minutes - metric.over_minutes
    return since >= 0 and since % metric.every_minutes == 0


def _measured(metric: ArgoMetric, new: Minutes, end: int) -> Measured:
    """No number is an error whatever the conditions say: no data neither passes nor fails."""
    found = measured(new[end - metric.over_minutes : end], metric.signal)
    if found is None:
        return Measured(Phase.ERROR, None, len(new) - end)
    found *= metric.times
    return Measured(evaluate(found, metric.success, metric.failure), found, len(new) - end)


def _verdict(metric: ArgoMetric, new: Minutes, age_minutes: int) -> _Verdict:
    taken = measurements(metric, new, age_minutes)
    counts = Counts()
    for one in taken:
        counts = count(counts, one.phase)
    answer = _answer(metric, counts)
    failed = [one.ended for one in taken if one.phase is Phase.FAILED]
    bad = answer is Answer.REGRESSED
    lasted_s = 60.0 * (max(failed) + metric.over_minutes) if bad else None
    return _Verdict(metric, answer, counts, lasted_s, _because(metric, taken, counts))


def _answer(metric: ArgoMetric, counts: Counts) -> Answer:
    """Enough failures are looked at first: an outage of the source before them excuses nothing."""
    if counts.failed > metric.failures:
        return Answer.REGRESSED
    limits = Limits(
        failures=metric.failures,
        inconclusive=metric.inconclusive,
        errors_in_a_row=metric.errors_in_a_row,
    )
    seen_enough = counts.successful > 0 and not counts.errors_in_a_row
    in_a_row = counts.successes_in_a_row >= metric.successes_in_a_row
    if limit_passed(limits, counts) is None and seen_enough and in_a_row:
        return Answer.FINE_SO_FAR
    return Answer.CANNOT_TELL


def _because(metric: ArgoMetric, taken: Sequence[Measured], counts: Counts) -> str:
    if not taken:
        return f"{metric.name}: not measured yet"
    said = f"{metric.name}: {counts.failed} of {counts.taken} measurements failed"
    said += f" ({_condition(metric)}), {metric.failures} may"
    if counts.errors:
        said += f"; {counts.errors} more had no number"
    newest = next((one.value for one in reversed(taken) if one.value is not None), None)
    return said if newest is None else f"{said}; newest {newest:.4g}"


def _condition(metric: ArgoMetric) -> str:
    return " and ".join(_conditions(metric))


def _conditions(metric: ArgoMetric) -> Iterator[str]:
    if metric.success is not None:
        yield f"well: {metric.success}"
    if metric.failure is not None:
        yield f"bad: {metric.failure}"


def _finding(
    judge: ArgoJudge, subject: Subject, verdicts: Sequence[_Verdict], new: Minutes
) -> Finding:
    """The evidence is the number of failed measurements, not nats, as for any fixed limit."""
    worst = next(
        one
        for answer in (Answer.REGRESSED, Answer.CANNOT_TELL, Answer.FINE_SO_FAR)
        for one in verdicts
        if one.answer is answer
    )
    return Finding(
        test=named(judge, subject),
        answer=worst.answer,
        evidence_nats=float(worst.counts.failed),
        threshold_nats=float(worst.metric.failures + 1),
        requests=requests_of(new[-worst.metric.reach_minutes :]),
        comparator=COMPARATOR,
        because=worst.because,
        lasted_s=worst.lasted_s,
    )
