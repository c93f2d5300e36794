"""Counters as of one moment, which lies between two scrapes of most of them.

Two targets are scraped up to an interval apart. Trouble of both versions would show in one of them
first and end in one of them first, and the release would be blamed for it. So all are read as of
the same moment, along the straight line between the samples before and after it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from math import floor, isfinite

from rollback_manager.metrics.increments import Sample, Series, drops

LATE_INTERVALS, LATE_S = 1.5, 1.0
"""A target whose next sample is overdue by more than this is not waited for."""


def shared(series: Sequence[Series], at_s: float, interval_s: float) -> float | None:
    """The newest moment at or after which every target has a sample; late targets do not count.

    at_s: now. None where all are late.
    """
    newest: dict[str, float] = {}
    for one in series:
        newest[one.target] = max(newest.get(one.target, 0.0), one.samples[-1].at_s)
    overdue_s = at_s - (LATE_INTERVALS * interval_s + LATE_S)
    return min((at for at in newest.values() if at >= overdue_s), default=None)


def as_of(
    series: Sequence[Series], moment_s: float, used: Mapping[str, float], interval_s: float
) -> tuple[Series, ...]:
    """The same as it was at that moment; series of which nothing is left are left out.

    used: until when each target was counted; what the line said then is there again, so that
    nothing counts twice.
    """
    by_target: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        by_target[one.target].append(one)
    cut = [
        _cut(one, moments, moment_s)
        for target, group in by_target.items()
        for moments in [_Moments(group, {moment_s, used.get(target, moment_s)}, interval_s)]
        for one in group
    ]
    return tuple(one for one in cut if one.samples)


class _Moments:
    """What the series of one target share."""

    def __init__(self, group: Iterable[Series], wanted: Collection[float], interval_s: float):
        every = list(group)
        self.scrapes = sorted({sample.at_s for one in every for sample in one.samples})
        self.restarts = drops(every)
        self.wanted = wanted
        self.apart_s = interval_s / 2


def _cut(one: Series, moments: _Moments, latest_s: float) -> Series:
    samples = _from_zero(one.samples, moments)
    between = [
        Sample(moment, _between(before, after, moment, moments.restarts))
        for before, after in pairwise(samples)
        for moment in sorted(moments.wanted)
        if before.at_s < moment < after.at_s and isfinite(before.value + after.value)
    ]
    kept = sorted(sample for sample in (*samples, *between) if sample.at_s <= latest_s)
    return one._replace(samples=tuple(kept))


def _from_zero(samples: Sequence[Sample], moments: _Moments) -> Sequence[Sample]:
    """With a zero at the scrape before its first sample, if its target had one: it grew from there.

    The first errors of an outage are a new series in most programs.
    """
    first = samples[0]
    without = [at for at in moments.scrapes if at <= first.at_s - moments.apart_s]
    if not without or not isfinite(first.value):
        return samples
    return (Sample(without[-1], 0.0), *samples)


def _between(before: Sample, after: Sample, at_s: float, restarts: Collection[float]) -> float:
    """Whole, and never above what it grows to; a counter that begins again stands still until."""
    if after.at_s in restarts or after.value < before.value:
        return before.value
    share = (at_s - before.at_s) / (after.at_s - before.at_s)
    return float(floor(before.value + share * (after.value - before.value)))
