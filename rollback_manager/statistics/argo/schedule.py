"""Which metrics to measure now and when to look again, as Argo Rollouts schedules its runs."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rollback_manager.statistics.argo.measurements import (
    Delay,
    Limits,
    Measurement,
    Metric,
    Unreadable,
)
from rollback_manager.statistics.argo.phases import Phase
from rollback_manager.statistics.argo.runs import is_terminating
from rollback_manager.values import Value

RETRY_AFTER_ERROR_S = 10.0
"""From an error to the next try, whatever the interval; Argo Rollouts' default."""


class Tasks(Value):
    """Names of metrics, in the order of the run: measured anew, or their unfinished one resumed."""

    take_new: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()


def schedule(
    metrics: Sequence[Metric],
    now: datetime,
    started_at: datetime | None = None,
    told_to_stop: bool = False,
) -> Tasks:
    """What to do now. A run that ends finishes what it began and takes nothing new.

    started_at: when the run was first assessed; None: it was not yet.
    """
    terminating = is_terminating(metrics, told_to_stop)
    waiting = [metric for metric in metrics if not metric.completed]
    resume = [each.name for each in waiting if _is_unfinished(each) and _may_resume(each, now)]
    new = [] if terminating else [each for each in waiting if _is_due(each, now, started_at)]
    return Tasks(take_new=tuple(metric.name for metric in new), resume=tuple(resume))


def next_look(
    metrics: Sequence[Metric], now: datetime, started_at: datetime | None = None
) -> datetime | None:
    """The earliest moment at which `schedule` may have something to do; None: nothing will come."""
    return min(_moments(metrics, started_at or now), default=None)


def _is_unfinished(metric: Metric) -> bool:
    return metric.last is not None and metric.last.finished_at is None


def _may_resume(metric: Metric, now: datetime) -> bool:
    last = metric.last
    return last is not None and (last.resume_at is None or last.resume_at <= now)


def _is_due(metric: Metric, now: datetime, started_at: datetime | None) -> bool:
    if metric.last is None:
        return _delay_is_over(metric.limits.initial_delay, now, started_at)
    if metric.last.finished_at is None or metric.has_enough:
        return False
    wait = _wait(metric.limits, metric.last)
    if wait is None:
        wait = RETRY_AFTER_ERROR_S  # no interval and an answer missing still
    due = _later(metric.last.finished_at, wait)
    return due is not None and now > due


def _delay_is_over(delay: Delay, now: datetime, started_at: datetime | None) -> bool:
    if delay is None:
        return True
    over = None if started_at is None else _later(started_at, delay)
    return over is not None and over <= now


def _wait(limits: Limits, last: Measurement) -> Delay:
    """From the last answer to the next question; None: no interval is set."""
    return RETRY_AFTER_ERROR_S if last.phase is Phase.ERROR else limits.interval


def _later(moment: datetime, wait: Delay) -> datetime | None:
    """None for a wait without an end: it is not set, or nobody can read it."""
    if wait is None or isinstance(wait, Unreadable):
        return None
    return moment + timedelta(seconds=wait)


def _moments(metrics: Sequence[Metric], started_at: datetime) -> Iterator[datetime]:
    for metric in metrics:
        if metric.completed:
            continue
        last = metric.last
        if last is None:
            moment = _later(started_at, metric.limits.initial_delay)
        elif last.finished_at is None:
            moment = last.resume_at
        elif metric.has_enough:
            continue
        else:
            moment = _later(last.finished_at, _wait(metric.limits, last))
        if moment is not None:
            yield moment
