"""Kayenta's judge as people run it: points of both versions, judged anew at every interval.

All points since the start are given each time, as its growing look-back does. A metric that is High
is a failed canary: of two metrics with the same weight one is half of the score.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.detection.world import Second
from rollback_manager.statistics.evidence import Amounts, Flags
from rollback_manager.statistics.kayenta.judge import judge
from rollback_manager.statistics.kayenta.rules import Direction, Label, MetricRules

RULES = MetricRules(direction=Direction.INCREASE)
"""The judge's own confidence and tolerance."""


@dataclass(frozen=True)
class Schedule:
    """Points of `point_s` seconds, judged every `every_s` seconds."""

    point_s: int
    every_s: int


SCHEDULES = {
    "kayenta, 10 s points every minute": Schedule(10, 60),
    "kayenta, 60 s points every 5 min": Schedule(60, 300),
    "kayenta by the book, 50 points of 10 s": Schedule(10, 500),
}


class Kayenta:
    """Two metrics: percent of requests that failed, percent that were slow."""

    def __init__(self, schedule: Schedule, releases: int) -> None:
        self._schedule = schedule
        self._sums = np.zeros((2, 2, 2, releases))
        self._points: list[Amounts] = []
        self._failed = np.zeros(releases, dtype=bool)

    def alarms(self, second: Second) -> Flags:
        """At the end of an interval; a release that failed once is not judged again."""
        at_s = float(second.interval.at_s[0])
        if at_s <= 0:
            return self._failed
        arms = second.interval.control, second.interval.new
        self._sums += [((a.errors, a.requests), (a.slow, a.timed)) for a in arms]
        if at_s % self._schedule.point_s == 0:
            hits, tries = self._sums[:, :, 0], self._sums[:, :, 1]
            some = np.where(tries > 0, tries, np.nan)
            self._points.append(100 * hits / some)
            self._sums = np.zeros_like(self._sums)
        if at_s % self._schedule.every_s == 0:
            self._judge()
        return self._failed

    def _judge(self) -> None:
        """Points: [point, arm, metric, release]; NaN where nothing was asked."""
        points = np.array(self._points)
        for release in np.flatnonzero(~self._failed):
            one = points[:, :, :, release]
            self._failed[release] = any(_is_high(one[:, :, metric]) for metric in (0, 1))


def _is_high(points: Amounts) -> bool:
    control, new = ([None if np.isnan(v) else float(v) for v in arm] for arm in points.T)
    return judge(control, new, RULES).label is Label.HIGH
