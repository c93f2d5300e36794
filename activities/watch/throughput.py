"""What a whole service answers in a minute, whichever version does."""

from collections.abc import Callable
from datetime import datetime

from activities.step import now
from activities.targets import Traffic
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.metrics.reading import Total, total

NAME, UNIT = "throughput", "requests per minute"
MAY_BE_OLD_S = 1.0
"""So that many services behind one proxy are one question."""
SHORTEST_S = 10.0
"""A burst of a few seconds says nothing about a minute."""


class Throughput:
    """Asked once a minute; each answer is over the time since the one before."""

    def __init__(self, traffic: Callable[[], Traffic]) -> None:
        self._traffic = traffic
        self._before: Total | None = None

    def read(self, _due_at: datetime) -> Number | NoNumber:
        """Requests per minute; the first time, and after a restart of the proxy, there are none."""
        first, last = self._before, total(self._traffic().snapshot(MAY_BE_OLD_S))
        self._before = last
        seconds = (last.at - first.at).total_seconds() if first else 0.0
        if first is None or seconds < SHORTEST_S:
            return NoNumber(name=NAME, because="it is counted from now on")
        if last.requests < first.requests:
            return NoNumber(name=NAME, because="the counters started again from zero")
        per_minute = 60 * (last.requests - first.requests) / seconds
        return Number(name=NAME, value=per_minute, unit=UNIT, taken_at=now())
