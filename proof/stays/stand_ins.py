"""Stand-ins for what is not under proof here: the counters, and owners whom nobody holds."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from activities.integrations.kubernetes import Reader
from activities.targets import Owners
from rollback_manager.metrics.reading import Counts, Snapshot
from rollback_manager.owners import Owner

A_LOOK = 20_000
"""Requests that the stand-in counts at each look, so that windows fill at once."""


class PodCounters:
    """A stand-in for Prometheus: each look counts requests that ready pods answered, none slow."""

    unseen_s = 5.0

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._counted: dict[str, int] = {}

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot:
        """As of now."""
        ready = [pod.version for pod in self._reader.now().pods if pod.ready]
        with self._lock:
            for name in ready:
                self._counted[name] = self._counted.get(name, 0) + A_LOOK // len(ready)
            counts = {name: self._counts(name) for name in {version, *others}}
        return Snapshot(taken_at=datetime.now(UTC), versions=counts, counted_by="a stand-in")

    def _counts(self, name: str) -> Counts:
        all_of = self._counted.get(name, 0)
        fast = tuple((edge, all_of) for edge in (10.0, 100.0))
        return Counts(requests=all_of, errors=0, in_flight=0, serving=0, latency_ms=fast)


class LetLoose:
    """Owners without the mechanism: nobody is found, so nobody is held, and no list is kept."""

    def __init__(self, real: Owners) -> None:
        self._real = real

    def found(self) -> tuple[Owner, ...]:
        """Nobody."""
        return ()

    def deny(self, version: str) -> str:
        """Nothing is."""
        return "taken out"

    def __getattr__(self, name: str) -> Any:
        """All else is as it is."""
        return getattr(self._real, name)
