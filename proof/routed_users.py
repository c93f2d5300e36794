"""A stand-in for users and for what counts their requests, where a real cluster routes them."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from rollback_manager.metrics.reading import Counts, NoReading, Snapshot

PER_S = 5000


class Users:
    """They go wherever the cluster sends them, as `routed` says each time somebody looks."""

    unseen_s = 5.0

    def __init__(self, routed: Callable[[], dict[str, int]], bad: Iterable[str] = ("v2",)) -> None:
        self._routed = routed
        self.bad = frozenset(bad)
        self._last = time.monotonic()
        self.requests: dict[str, float] = {}

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot | NoReading:
        """With the requests since the last call, by the split of now."""
        now, split = time.monotonic(), self._routed()
        for name, part in split.items():
            more = PER_S * (now - self._last) * part / 100
            self.requests[name] = self.requests.get(name, 0.0) + more
        self._last = now
        names = {version, *others}
        return Snapshot(
            taken_at=datetime.now(UTC),
            versions={name: self._counts(name) for name in names},
            counted_by="users",
        )

    def _counts(self, version: str) -> Counts:
        requests = round(self.requests.get(version, 0.0))
        errors = requests // 2 if version in self.bad else 0
        return Counts(
            requests=requests,
            errors=errors,
            in_flight=0,
            serving=0,
            latency_ms=((10.0, requests), (100.0, requests)),
            timed=requests,
        )
