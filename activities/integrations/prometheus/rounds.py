"""One question per round for everybody: asked in the background, and its answer kept.

Whoever looks at a service gets the newest answer at once. A Prometheus that is slow holds up one
thread of its own, and no look at any service.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from activities.integrations.prometheus.api import TIMEOUT_S
from activities.integrations.prometheus.asking import Answered, Prometheus
from rollback_manager.errors import RollbackError

PER_INTERVAL = 3
"""Questions per scrape interval: a sample is then seen after a third of it at the latest."""
LEAST_APART_S = 1.0
"""Looks are a second apart; more questions than looks tell nobody anything."""
RESTS = 4
"""A question takes at most a fifth of a core: 50,000 series are 2 s of work to read."""
WANTED_S = 60.0
"""A service that nobody has looked at for so long is left out of the question."""
GATHER_S = 0.1
"""Services that are looked at for the first time within it are in the same question."""
FIRST_S = 1.0
"""How long the first look waits for an answer; a later one finds the last."""


class _Last(NamedTuple):
    """What was said, when, and for how long nobody else needs to ask."""

    said: Answered | str
    services: frozenset[str]
    at_s: float
    rest_s: float


class Rounds:
    """The newest answer for the services of one Prometheus."""

    def __init__(self, prometheus: Prometheus) -> None:
        shortest_s = min(one.scrape_interval_s for one in prometheus.sources.values())
        self.every_s = max(LEAST_APART_S, shortest_s / PER_INTERVAL)
        self._prometheus = prometheus
        self._lock = threading.Lock()
        self._wanted: dict[str, float] = {}
        self._last: _Last | None = None
        self._begun_s = float("-inf")
        self._under_way: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prometheus")

    def newest(self, service: str) -> Answered | str:
        """The newest answer that has this service in it, or in words why there is none.

        It is never older than a round and the time that two questions may take.
        """
        until_s = time.monotonic() + FIRST_S
        while True:
            with self._lock:
                self._wanted[service] = time.monotonic()
                known = self._known(service)
                under_way = self._asked_if_due(known is None)
            if known is not None:
                return known
            try:
                under_way.result(max(0.0, until_s - time.monotonic()))
            except TimeoutError:
                return "Prometheus was asked and has not answered yet"

    def _known(self, service: str) -> Answered | str | None:
        last = self._last
        if last is None or service not in last.services:
            return None
        fresh = time.monotonic() - last.at_s <= last.rest_s + 2 * TIMEOUT_S
        return last.said if fresh else None

    def _asked_if_due(self, is_needed: bool) -> Future[None]:
        at_s, under_way = time.monotonic(), self._under_way
        if under_way is not None:
            is_needed = is_needed or at_s - self._begun_s >= self._rest_s
            if not (under_way.done() and is_needed):
                return under_way
        self._begun_s = at_s
        self._under_way = self._thread.submit(self._ask)
        return self._under_way

    @property
    def _rest_s(self) -> float:
        return self._last.rest_s if self._last else self.every_s

    def _ask(self) -> None:
        time.sleep(GATHER_S)
        with self._lock:
            since_s = time.monotonic() - WANTED_S
            self._wanted = {name: at for name, at in self._wanted.items() if at >= since_s}
            services = frozenset(self._wanted)
        begun_s, rest_s = time.monotonic(), self.every_s
        said: Answered | str
        try:
            said = self._prometheus.ask(services)
            rest_s = max(rest_s, RESTS * (time.monotonic() - begun_s))
        except RollbackError as error:
            said = error.what
        with self._lock:
            self._last = _Last(said, services, time.monotonic(), rest_s)
