"""The rules that are measured side by side: ours as it is shipped, and the usual ones."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from benchmarks.detection.kayenta import SCHEDULES, Kayenta, Schedule
from benchmarks.detection.world import SHARE, Second
from rollback_manager.statistics.evidence import Amounts, Flags
from rollback_manager.statistics.release_watch import History, ReleaseWatch

WINDOW_S = 60


class Family(Protocol):
    """A rule; state of many releases."""

    def alarms(self, second: Second) -> Flags:
        """Takes one more second; where the rule now wants a rollback."""
        ...


class Shipped:
    """The detector of the package."""

    def __init__(self, history: History, releases: int) -> None:
        self._watch = ReleaseWatch.begin(history, SHARE, releases)

    def alarms(self, second: Second) -> Flags:
        """Of errors or slowness."""
        self._watch = self._watch.with_more(second.interval)
        return self._watch.regressed


class Eager(Shipped):
    """The same with envelopes so narrow that the goals for what is bad from the start are near.

    Not shipped: it shows what those goals cost where a release warms up more than those before.
    """

    def __init__(self, history: History, releases: int) -> None:
        super().__init__(_narrower(history), releases)


def _narrower(history: History) -> History:
    narrow = (history.error_envelope.times(0.7), history.slow_envelope.times(0.6))
    return replace(history, error_envelope=narrow[0], slow_envelope=narrow[1])


class Static:
    """The seed's thresholds in one-minute windows: errors > 10 % or P95 > 200 % of the usual.

    `needed` bad windows of the last `of`.
    """

    def __init__(self, needed: int, of: int, releases: int) -> None:
        self._needed, self._bad = needed, deque([np.zeros(releases, dtype=bool)], maxlen=of)
        self._counts = np.zeros((4, releases))

    def alarms(self, second: Second) -> Flags:
        """At the end of every window; between two, what the last one said."""
        at_s, new = float(second.interval.at_s[0]), second.interval.new
        self._counts += np.array([new.errors, new.requests, second.very_slow, new.timed])
        if at_s > 0 and at_s % WINDOW_S == 0:
            failed, requests, slow, timed = self._counts
            self._bad.append((failed > 0.1 * requests) | (slow > 0.05 * timed))
            self._counts = np.zeros_like(self._counts)
        return np.asarray(np.sum(list(self._bad), axis=0) >= self._needed)


class BurnRate:
    """A 99.9 % objective burns 14.4 times too fast over an hour and five minutes (SRE book)."""

    BUDGET, RATE, HOUR_S, SHORT_S = 0.001, 14.4, 3600, 300

    def __init__(self, rps: float, releases: int) -> None:
        self._hour = np.zeros(releases)
        self._recent: deque[tuple[Amounts, Amounts]] = deque(maxlen=self.SHORT_S)
        self._short = np.zeros((2, releases))
        self._due = self.RATE * self.BUDGET * rps * self.HOUR_S

    def alarms(self, second: Second) -> Flags:
        """Both windows; the watch is shorter than the hour, which therefore starts empty."""
        new = second.interval.new
        if len(self._recent) == self.SHORT_S:
            self._short -= np.array(self._recent[0])
        self._recent.append((new.errors, new.requests))
        self._short += np.array([new.errors, new.requests])
        self._hour = self._hour + new.errors
        short = self._short[0] > self.RATE * self.BUDGET * np.maximum(self._short[1], 1)
        return np.asarray((self._hour > self._due) & short)


Maker = Callable[[History, float, int], Family]
FAMILIES: dict[str, Maker] = {
    "shipped": lambda history, _, releases: Shipped(history, releases),
    "static 1 of 1": lambda _, __, releases: Static(1, 1, releases),
    "static 3 of 5": lambda _, __, releases: Static(3, 5, releases),
    "burn rate": lambda _, rps, releases: BurnRate(rps, releases),
}
"""Name → maker from history, requests per second and number of releases. A family that is added
here is measured in every cell."""


def _by_kayenta(schedule: Schedule) -> Maker:
    return lambda _, __, releases: Kayenta(schedule, releases)


SLOW: dict[str, Maker] = {name: _by_kayenta(schedule) for name, schedule in SCHEDULES.items()}
"""Milliseconds a judgement: measured with fewer releases."""
EXTRA: dict[str, Maker] = {"eager": lambda history, _, releases: Eager(history, releases)}
"""Measured in full runs only."""
