"""One question to an Envoy for all services that are looked at at about the same time."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from activities.integrations.envoy.admin import Admin
from activities.integrations.envoy.counters import COUNTERS, LATENCY, NO_CLUSTER
from rollback_manager.errors import RollbackError

EVERYTHING = rf"^cluster\..*\.({'|'.join((*COUNTERS, LATENCY))})$|^http\..*\.{NO_CLUSTER}$"
"""Not by name: those of a thousand services make a longer question than Envoy reads."""

Values = dict[str, Any]
Histograms = dict[str, list[dict[str, Any]]]


class Stats(NamedTuple):
    """What Envoy counts, by full name; asked just after `taken_at`, on the clock of `monotonic`
    `taken_s`."""

    taken_at: datetime
    taken_s: float
    values: Values
    histograms: Histograms


class SharedStats:
    """The last answer, for as long after it came as whoever asks may have an older one.

    Not after it was asked for: a question that takes longer than that would be asked by each of
    those who wait for it.
    """

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._lock = threading.Lock()
        self._asked_s = self._answered_s = float("-inf")
        self._taken_at = datetime.min.replace(tzinfo=UTC)
        self._by_route: dict[str, tuple[Values, Histograms]] = {}
        self._failed: RollbackError | None = None

    def of(self, route: str, max_age_s: float) -> Stats:
        """What concerns the route. Raises what the question raised, for all who waited for it."""
        came_s = time.monotonic()
        with self._lock:
            if self._answered_s < came_s - max_age_s:
                self._ask()
            if self._failed is not None:
                raise self._failed.with_traceback(None)
            values, histograms = self._by_route.get(route, ({}, {}))
            return Stats(self._taken_at, self._asked_s, values, histograms)

    def _ask(self) -> None:
        self._asked_s, self._taken_at = time.monotonic(), datetime.now(UTC)
        try:
            self._by_route = _by_route(*self._admin.stats(EVERYTHING, used=True))
            self._failed = None
        except RollbackError as error:
            self._failed = error
        finally:
            self._answered_s = time.monotonic()


def _by_route(values: Values, histograms: Histograms) -> dict[str, tuple[Values, Histograms]]:
    """Each name under every route that it may belong to: `shop-api-v1` is of shop or shop-api."""
    doors = {name: value for name, value in values.items() if name.startswith("http.")}
    found: dict[str, tuple[Values, Histograms]] = defaultdict(lambda: (dict(doors), {}))
    for name, value in values.items():
        for route in _routes(name):
            found[route][0][name] = value
    for name, buckets in histograms.items():
        for route in _routes(name):
            found[route][1][name] = buckets
    return dict(found)


def _routes(name: str) -> Iterator[str]:
    """What stands before each hyphen of a cluster's name."""
    kind, _, cluster = name.partition(".")
    parts = cluster.split("-") if kind == "cluster" else []
    for end in range(1, len(parts)):
        yield "-".join(parts[:end])
