"""What versions answered, and which pods would get requests: Kubernetes itself counts neither."""

from collections.abc import Mapping
from datetime import UTC, datetime

from activities.targets import Counters
from rollback_manager.metrics.counting import FIRST
from rollback_manager.metrics.reading import Counts, NoReading, Snapshot

UNKNOWN = 1
"""Requests in flight where nobody can tell: no data is never a pass."""


class Counted:
    """Snapshots of one service: requests from its counters, gauges from its pods.

    In flight counts pods that are on their way out, and requests that the version answered between
    the last two readings of its counters: who still answers still has users. Readings far apart are
    not two such: whoever looked before the shift, and next when all was drained, as another worker
    of the same rollback does, would take answers from before the shift for users of now.
    """

    def __init__(self, counters: Counters | None) -> None:
        self._counters = counters
        self._before: Snapshot | None = None
        self._last: Snapshot | None = None

    def snapshot(self, serving: Mapping[str, int], leaving: Mapping[str, int]) -> Snapshot:
        """serving: ready pods that get requests, by version; leaving: those on their way out."""
        versions = sorted(serving)
        said = self._said(versions)
        if isinstance(said, NoReading):
            return Snapshot(
                taken_at=datetime.now(UTC),
                versions={
                    v: Counts(requests=0, errors=0, in_flight=UNKNOWN, serving=serving[v])
                    for v in versions
                },
                counted_by=f"nothing: {said.because}",
                blind=said.because,
                settles=FIRST in said.because,
            )
        self._remember(said)
        found = {v: self._counts(v, said, serving, leaving) for v in versions}
        return said.model_copy(update={"versions": found, "settles": self._before is None})

    def _said(self, versions: list[str]) -> Snapshot | NoReading:
        if not versions:
            return NoReading(version="", because="no version is defined")
        if self._counters is None:
            because = "the catalogue names no metrics for it"
            return NoReading(version=versions[0], because=because)
        return self._counters.snapshot(versions[0], versions[1:])

    def _remember(self, said: Snapshot) -> None:
        if self._last is not None and said.taken_at <= self._last.taken_at:
            return
        self._before = self._last if self._is_next(said) else None
        self._last = said

    def _is_next(self, said: Snapshot) -> bool:
        """Whether the last reading was a moment before this one."""
        if self._last is None or self._counters is None:
            return False
        return (said.taken_at - self._last.taken_at).total_seconds() <= self._counters.unseen_s

    def _counts(
        self, version: str, said: Snapshot, serving: Mapping[str, int], leaving: Mapping[str, int]
    ) -> Counts:
        none = Counts(requests=0, errors=0, in_flight=0, serving=0)
        gauges = {
            "in_flight": leaving.get(version, 0) + self._grown(version),
            "serving": serving[version],
        }
        return said.versions.get(version, none).model_copy(update=gauges)

    def _grown(self, version: str) -> int:
        """Requests answered between the last two readings; UNKNOWN before there are two."""
        if self._before is None or self._last is None:
            return UNKNOWN
        first, last = self._before.versions.get(version), self._last.versions.get(version)
        if last is None:
            return 0
        return max(0, last.requests - (first.requests if first else 0))
