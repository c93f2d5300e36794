"""Growth of several versions, added up to counters as a proxy has them, all as of one moment.

What compares two versions, or one with its past, then works on these as on the proxy's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from rollback_manager.metrics import moments
from rollback_manager.metrics.increments import Series
from rollback_manager.metrics.reading import Counts, NoReading, Snapshot
from rollback_manager.metrics.series import Increase, NothingNew, Used, look
from rollback_manager.metrics.sources import PrometheusSource

FULL_ROUND = 0.9
"""Of a scrape interval, between two moments: by then each target was scraped once more."""
NOTHING = Counts(requests=0, errors=0, in_flight=0, serving=0)


class Counting(NamedTuple):
    """Counters of versions that are looked at together, and what to go on with.

    versions: the first is the one that is judged. name: differs for all that ever count. again: how
    often it had to begin anew, after a gap that is longer than a query reaches or with other
    buckets: what lies between is not known.
    """

    source: PrometheusSource
    versions: tuple[str, ...]
    name: str
    used: Used = Used()
    snapshot: Snapshot | None = None
    again: int = 0

    def with_more(self, series: Sequence[Series], at: datetime) -> More:
        """With all samples of the service in the range before `at`.

        It says the same snapshot as before until all versions were scraped once more.
        """
        if self._has_lost_track(at):
            return self._anew().with_more(series, at)
        moment_s = self._moment(series, at)
        if self._may_wait(moment_s, at):
            return self._nothing_new()
        looked = look(series, self.source, self.versions, self.used, at, moment_s)
        if reason := _reason(looked.found):
            return More(self, NoReading(version=self.versions[0], because=reason))
        increases = {n: one for n, one in looked.found.items() if isinstance(one, Increase)}
        if moment_s is None or not self._is_due(moment_s) or len(increases) < len(self.versions):
            return self._nothing_new()
        if self._has_other_edges(increases):
            return self._anew().with_more(series, at)
        snapshot = self._added(increases, moment_s)
        notes = (f"{name}: {note}" for name, one in increases.items() for note in one.notes)
        after = self._replace(used=looked.used, snapshot=snapshot)
        return More(after, snapshot, tuple(notes))

    def _nothing_new(self) -> More:
        return More(self, self.snapshot or NoReading(version=self.versions[0], because=FIRST))

    def _moment(self, series: Sequence[Series], at: datetime) -> float | None:
        """A scrape of the first version, so that nothing is guessed of when it went wrong."""
        label = self.source.version_label
        every = [one for one in series if one.labels.get(label) in self.versions]
        shared_s = moments.shared(every, at.timestamp(), self.source.scrape_interval_s)
        if shared_s is None:
            return None
        first = [one for one in every if one.labels.get(label) == self.versions[0]]
        scrapes = (sample.at_s for one in first for sample in one.samples)
        return max((at_s for at_s in scrapes if at_s <= shared_s), default=None)

    def _is_due(self, moment_s: float) -> bool:
        if self.snapshot is None:
            return True
        grown_s = moment_s - self.snapshot.taken_at.timestamp()
        return grown_s >= FULL_ROUND * self.source.scrape_interval_s

    def _may_wait(self, moment_s: float | None, at: datetime) -> bool:
        """Whether nothing is to be read yet, nor old enough to ask why not."""
        if self.snapshot is None or (moment_s is not None and self._is_due(moment_s)):
            return False
        return (at - self.snapshot.taken_at).total_seconds() <= self.source.silence_s

    def _has_lost_track(self, at: datetime) -> bool:
        if self.snapshot is None:
            return False
        return (at - self.snapshot.taken_at).total_seconds() > self.source.range_s

    def _anew(self) -> Counting:
        return self._replace(used=Used(), snapshot=None, again=self.again + 1)

    def _counts(self, version: str) -> Counts:
        return NOTHING if self.snapshot is None else self.snapshot.versions[version]

    def _has_other_edges(self, increases: Mapping[str, Increase]) -> bool:
        """Of their buckets; those of a version that has no latency just now stay as they are."""
        before = {name: dict(self._counts(name).latency_ms) for name in increases}
        return any(
            before[name] and one.latency_ms and before[name].keys() != dict(one.latency_ms).keys()
            for name, one in increases.items()
        )

    def _added(self, increases: Mapping[str, Increase], moment_s: float) -> Snapshot:
        return Snapshot(
            taken_at=datetime.fromtimestamp(moment_s, UTC),
            versions={name: _sum(self._counts(name), one) for name, one in increases.items()},
            counted_by=f"{self.name}.{self.again}",
        )


class More(NamedTuple):
    """What to go on with; the newest snapshot or why there is none; notes for people."""

    counting: Counting
    said: Snapshot | NoReading
    notes: tuple[str, ...] = ()


FIRST = "first sample: growth is known from the next scrape on"


def _reason(found: Mapping[str, Increase | NoReading]) -> str:
    """Why they cannot be told, of each version; empty if at most the next scrape is waited for."""
    troubles = {
        name: one.because
        for name, one in found.items()
        if isinstance(one, NoReading) and not isinstance(one, NothingNew)
    }
    if len(troubles) == len(found) and len(set(troubles.values())) == 1:
        return next(iter(troubles.values()))
    return "; ".join(f"{name}: {because}" for name, because in troubles.items())


def _sum(counts: Counts, more: Increase) -> Counts:
    """A fraction of a request that was rounded up to an error is none."""
    edges = dict(counts.latency_ms)
    grown = dict(more.latency_ms)
    return Counts(
        requests=counts.requests + more.requests,
        errors=counts.errors + min(more.errors, more.requests),
        in_flight=0,
        serving=0,
        latency_ms=tuple(
            (edge, edges.get(edge, 0) + grown.get(edge, 0)) for edge in sorted(edges or grown)
        ),
        timed=(counts.timed or 0) + more.timed,
    )
