"""What a test saw until it spoke, for people to look at: nothing is decided from it. Pure.

It goes with an alarm through the incident to the report of the rollback, so it is kept small.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from itertools import pairwise
from math import ceil
from typing import NamedTuple, Self

from rollback_manager.values import Seconds, Value


class Measure(StrEnum):
    """What the test counts; the words stand above the picture."""

    FAILED = "failed requests"
    SLOW = "slow requests"


class Tally(NamedTuple):
    """So many of so many: failed requests of all, slow ones of those that were timed."""

    hits: int
    tries: int

    def plus(self, more: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.hits + more.hits, self.tries + more.tries)


class TracePoint(Value):
    """What both versions did since the point before, and the evidence by then.

    ago_s: before the last point. evidence: ÷ threshold, so the test may speak from 1 on.
    """

    ago_s: Seconds
    evidence: float
    new: Tally
    old: Tally

    def then(self, later: Self) -> Self:
        """Both as one point: the counts of both, the evidence at the end."""
        counts = {"new": self.new.plus(later.new), "old": self.old.plus(later.old)}
        return later.model_copy(update=counts)


class EvidenceTrace(Value):
    """The evidence of one test over the last minutes; without points where there is none.

    new, old: versions; old is empty where the new one had nothing beside it. until: the look at
    which the test spoke. evidence, threshold: at that look, in `unit`.
    """

    test: str = ""
    measure: Measure = Measure.FAILED
    new: str = ""
    old: str = ""
    until: datetime | None = None
    evidence: float = 0.0
    threshold: float = 0.0
    unit: str = ""
    points: tuple[TracePoint, ...] = ()

    def at(self, point: TracePoint) -> datetime:
        """When the point was; ValueError for a trace without any."""
        if self.until is None:
            raise ValueError("an empty trace has no moments")
        return self.until - timedelta(seconds=point.ago_s)

    @property
    def reached(self) -> TracePoint | None:
        """From this point to the end the evidence was at its threshold or above it."""
        stands = None
        for point in reversed(self.points):
            if point.evidence < 1:
                break
            stands = point
        return stands


def fewer(points: Sequence[TracePoint], most: int) -> tuple[TracePoint, ...]:
    """So many at most, neighbours put together; the last ones evenly, what is left over first."""
    size = ceil(len(points) / most) or 1
    cuts = [0, *range(len(points) % size or size, len(points) + 1, size)]
    return tuple(reduce(TracePoint.then, points[begin:end]) for begin, end in pairwise(cuts))
