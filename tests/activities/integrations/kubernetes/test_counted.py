"""Who still answers: what grew between two readings that follow each other, and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from activities.integrations.kubernetes.counted import UNKNOWN, Counted
from rollback_manager.metrics.reading import Counts, Snapshot

BEGAN = datetime(2026, 3, 1, 14, tzinfo=UTC)


@dataclass
class Counters:
    """A Prometheus that has scraped so many requests of v2 by then."""

    requests: int = 0
    after_s: float = 0
    unseen_s: float = 50

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot:
        counts = Counts(requests=self.requests, errors=0, in_flight=0, serving=0)
        at = BEGAN + timedelta(seconds=self.after_s)
        return Snapshot(taken_at=at, versions={version: counts})


def _seen(counted: Counted) -> tuple[int, bool]:
    seen = counted.snapshot({"v2": 1}, {})
    return seen.versions["v2"].in_flight, seen.settles


def test_what_was_answered_between_two_scrapes_is_still_answered() -> None:
    counters = Counters()
    counted = Counted(counters)
    assert _seen(counted) == (UNKNOWN, True)
    counters.requests, counters.after_s = 40, 15
    assert _seen(counted) == (40, False)
    counters.after_s = 30
    assert _seen(counted) == (0, False)


def test_who_looked_long_ago_takes_nothing_of_then_for_now() -> None:
    counters = Counters()
    counted = Counted(counters)
    _seen(counted)
    counters.requests, counters.after_s = 9000, 120
    assert _seen(counted) == (UNKNOWN, True), "the guard waits for one more reading"
    counters.after_s = 135
    assert _seen(counted) == (0, False)
