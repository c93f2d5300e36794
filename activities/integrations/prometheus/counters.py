"""The role of counters, played by a Prometheus: what grew, added up by version."""

import logging
import threading
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from activities.integrations.prometheus.asking import Answered
from activities.integrations.prometheus.rounds import Rounds
from rollback_manager.metrics.counting import Counting
from rollback_manager.metrics.reading import NoReading, Snapshot
from rollback_manager.metrics.sources import PrometheusSource

MOST_COUNTINGS = 20
"""Sets of versions that are remembered of a service: its release, its rollback, and to spare."""

log = logging.getLogger(__name__)


class _Told(NamedTuple):
    """What was said of some versions last, from the answer of that time."""

    counting: Counting
    said: Snapshot | NoReading
    at: datetime
    notes: tuple[str, ...] = ()


class PrometheusCounters:
    """The counters of one service; never waits longer than a second for its Prometheus."""

    def __init__(self, rounds: Rounds, service: str, source: PrometheusSource) -> None:
        self.rounds = rounds
        self._service = service
        self._source = source
        self._lock = threading.Lock()
        self._told: dict[tuple[str, ...], _Told] = {}

    @property
    def unseen_s(self) -> float:
        """Two failed scrapes happen on a healthy day; the one after them may come a bit late."""
        return self._source.silence_s + self._source.scrape_interval_s / 2

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot | NoReading:
        """All as of one moment between the last scrapes; the same until there was a new one."""
        answer = self.rounds.newest(self._service)
        if isinstance(answer, str):
            return NoReading(version=version, because=answer)
        versions = (version, *sorted({*others} - {version}))
        with self._lock:
            told = self._told.pop(versions, None)
            if told is None or told.at < answer.at:
                told = self._newer(versions, told, answer)
            self._told[versions] = told
            while len(self._told) > MOST_COUNTINGS:
                del self._told[next(iter(self._told))]
        return told.said

    def _newer(self, versions: tuple[str, ...], before: _Told | None, answer: Answered) -> _Told:
        own = Counting(self._source, versions, name=uuid.uuid4().hex[:12])
        counting = before.counting if before else own
        more = counting.with_more(answer.series[self._service], answer.at)
        notes = (*more.notes, *answer.warnings)
        if notes and (before is None or notes != before.notes):
            log.info("counters", extra={"service": self._service, "notes": notes})
        return _Told(more.counting, _with(more.said, answer.warnings), answer.at, notes)


def _with(said: Snapshot | NoReading, warnings: tuple[str, ...]) -> Snapshot | NoReading:
    """A reason with what Prometheus warned of: that may be the reason behind it."""
    if isinstance(said, Snapshot) or not warnings:
        return said
    because = f"{said.because} (Prometheus: {'; '.join(warnings)})"
    return said.model_copy(update={"because": because})
