"""What users got of a version: by the proxy's counters, or by those that the catalogue names."""

from collections.abc import Iterable
from datetime import timedelta

from temporalio import activity

from activities.step import now
from activities.targets import Target
from rollback_manager.errors import TemporaryError
from rollback_manager.metrics.reading import (
    NoReading,
    Reading,
    Slow,
    Snapshot,
    between,
    slower_than,
)

MOST_UNSEEN = timedelta(seconds=30)
"""A longer gap between two looks at the proxy is no interval."""


def most_unseen(target: Target) -> timedelta:
    """How far apart two snapshots may be so that nothing came and went between them unseen."""
    own_s = target.counters.unseen_s if target.counters else 0.0
    return max(MOST_UNSEEN, timedelta(seconds=own_s))


def counters(target: Target, version: str, others: Iterable[str], max_age_s: float) -> Snapshot:
    """The counters of these versions; those of the proxy may be so old.

    Raises TemporaryError where those that the catalogue names cannot tell, with the reason.
    """
    if target.counters is None:
        return target.traffic.snapshot(max_age_s)
    said = target.counters.snapshot(version, others)
    if isinstance(said, NoReading):
        raise TemporaryError(
            f"cannot tell: {said.because}",
            effect="Nothing is judged by these counters until they can be read.",
            next_step="Mend what it names; `metrics` of the service in the catalogue says where.",
        )
    return said


class Window:
    """What a version answered since the window was opened, growing with every look.

    Counters that come late open it late: with their first moment after the call, so that nothing
    from before is in it.
    """

    def __init__(self, target: Target, version: str) -> None:
        self._target = target
        self._version = version
        self._opened_at = now()
        self.first: Snapshot | None = None
        self.last: Snapshot | NoReading = NoReading(version=version, because="not looked yet")

    def with_more(self, proxy: Snapshot, others: Iterable[str] = ()) -> None:
        """With what was just seen at the proxy. others: versions that are to be read as well."""
        counters = self._target.counters
        if counters is None:
            self.last = proxy
        else:
            said = counters.snapshot(self._version, others)
            told = {"own_errors": proxy.own_errors}
            self.last = said if isinstance(said, NoReading) else said.model_copy(update=told)
        if self.first is None and isinstance(self.last, Snapshot) and self._is_open(self.last):
            self.first = _begun(self._version, self.last)

    def beat(self) -> None:
        """Tell Temporal, and with it the next attempt, where the window begins."""
        activity.heartbeat(*([] if self.first is None else [self.first.model_dump(mode="json")]))

    def reading(self, version: str = "") -> Reading | NoReading:
        """Of the version, or of another one that was read as well."""
        name = version or self._version
        if isinstance(self.last, NoReading):
            return NoReading(version=name, because=self.last.because)
        if self.first is None:
            return NoReading(version=name, because="nothing is counted since the window began")
        return between(name, self.first, self.last)

    def slower_than(self, limit_ms: float | None) -> Slow | None:
        """Its requests of the window that were slower; None where that is not known."""
        if limit_ms is None or self.first is None or isinstance(self.last, NoReading):
            return None
        return slower_than(limit_ms, self._version, self.first, self.last)

    @property
    def own_errors(self) -> int:
        """Answers of the window that failed at the front door and that no version gave."""
        if self.first is None or isinstance(self.last, NoReading):
            return 0
        return max(0, self.last.own_errors - self.first.own_errors)

    def _is_open(self, snapshot: Snapshot) -> bool:
        return self._target.counters is None or snapshot.taken_at >= self._opened_at


def _begun(version: str, snapshot: Snapshot) -> Snapshot:
    """Where an earlier attempt began, if its worker left word and the counters still agree."""
    for detail in activity.info().heartbeat_details:
        earlier = Snapshot.model_validate(detail)
        if isinstance(between(version, earlier, snapshot), Reading):
            return earlier
    return snapshot
