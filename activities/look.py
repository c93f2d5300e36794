"""One look at a service from all sides, and what a row of looks adds up to."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from activities.targets import SharesAsSet, Target, VersionState
from rollback_manager import progress
from rollback_manager.guard import Side
from rollback_manager.metrics.reading import Snapshot, share
from rollback_manager.plan import Capacity
from rollback_manager.progress import Sample

MOST_SAMPLES = 120
"""Samples kept in history per step: enough for a picture, a few kB."""

READERS = ThreadPoolExecutor(max_workers=300, thread_name_prefix="read")
"""Threads for reads, kept: a pool of its own made a look of three 1 ms reads cost 4 ms, not 1.3.

Three for each of a worker's 100 activities, so that no silent target makes another one wait.
"""


@dataclass(frozen=True)
class Look:
    """The service at one moment, read from the targets themselves."""

    shares: SharesAsSet
    versions: dict[str, VersionState]
    snapshot: Snapshot

    def able(self, version: str) -> int:
        """Instances that are ready *and* in the proxy's rotation: those that would get requests."""
        state, counts = self.versions.get(version), self.snapshot.versions.get(version)
        return min(state.ready, counts.serving) if state and counts else 0

    def has(self, wanted: Capacity) -> bool:
        """Whether the wanted capacity is there, and meant to stay."""
        state = self.versions.get(wanted.version)
        stays = state is None or state.current is not False
        return stays and self.able(wanted.version) >= wanted.instances

    def running(self, version: str) -> int:
        """Instances that run, ready or not."""
        return self.versions[version].running if version in self.versions else 0

    def kept(self, version: str) -> int:
        """Instances that run, or that its controller is told to keep: an autoscaler's, say."""
        told = self.versions[version].told if version in self.versions else 0
        return max(told, self.running(version))

    def in_flight(self, version: str) -> int:
        """Requests that the version is answering right now."""
        counts = self.snapshot.versions.get(version)
        return counts.in_flight if counts else 0

    def carrying(self) -> int:
        """Able instances of all versions that get traffic: the capacity that users have."""
        return sum(self.able(version) for version, part in self.shares.shares.items() if part)

    def sides(self, then: dict[str, int]) -> tuple[Side, ...]:
        """Every version that has traffic now or gets some by the split `then`: both are asked."""
        now = {version: part for version, part in self.shares.shares.items() if part}
        return tuple(
            Side(
                version=version,
                now=now.get(version, 0),
                then=then.get(version, 0),
                ready=self.able(version),
                told=self._told(version),
            )
            for version in sorted(now.keys() | {v for v, part in then.items() if part})
        )

    def _told(self, version: str) -> str:
        """What users got from it since the proxy counts; empty if it was never asked."""
        counts = self.snapshot.versions.get(version)
        if counts is None or not counts.requests:
            return ""
        return f"{counts.errors} of {counts.requests} requests failed"

    def found(self) -> progress.Found:
        """What is kept of it."""
        return progress.Found(
            shares=self.shares.shares,
            ready={v: self.able(v) for v in self.versions},
            current=next((v for v, state in self.versions.items() if state.current), ""),
        )

    def __str__(self) -> str:
        """In words: `v1 100 %, 4 ready; v2 0 %, 4 ready`."""
        return "; ".join(
            f"{version} {self.shares.shares.get(version, 0)} %, {self.able(version)} ready"
            + (f" ({state.note})" if state.note else "")
            for version, state in sorted(self.versions.items())
        )


class Looks:
    """All looks of one step: the newest decides, the row makes windows, samples and minima."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.all: list[Look] = []

    def take(self) -> Look:
        """Look from all sides at once: a step's speed is the slowest read, not their sum."""
        shares = READERS.submit(self._target.traffic.shares)
        snapshot = READERS.submit(self._target.traffic.snapshot)
        try:
            versions = self._target.workloads.versions()
        finally:
            for reading in (shares, snapshot):  # none is left behind, also where one fails
                reading.exception()
        look = Look(shares.result(), versions, snapshot.result())
        self.all.append(look)
        return look

    def measured_share(self, version: str, requests: int, since: datetime) -> float | None:
        """Share of the newest window of at least `requests` that began at or after `since`.

        None while there is no such window.
        """
        last = self.all[-1].snapshot
        for look in reversed(self.all[:-1]):
            if look.snapshot.taken_at < since:
                return None
            if _requests(look.snapshot, last) >= max(1, requests):
                return share(version, look.snapshot, last)
        return None

    @property
    def lowest(self) -> int:
        """Fewest instances that carried users at any look."""
        return min(look.carrying() for look in self.all)

    @property
    def own_errors(self) -> int:
        """Failed answers of the whole row that no version gave."""
        return max(0, self.all[-1].snapshot.own_errors - self.all[0].snapshot.own_errors)

    def samples(self) -> tuple[Sample, ...]:
        """What happened between looks, thinned to MOST_SAMPLES by leaving looks out."""
        every = max(1, -(-len(self.all) // MOST_SAMPLES))
        kept = self.all[::every]
        if kept[-1] is not self.all[-1]:
            kept.append(self.all[-1])
        return tuple(_sample(*pair) for pair in pairwise(kept))


def _sample(before: Look, after: Look) -> Sample:
    first, last = before.snapshot, after.snapshot
    return Sample(
        at=last.taken_at,
        ready={version: after.able(version) for version in after.versions},
        requests={v: _grown(c.requests, first, v, "requests") for v, c in last.versions.items()},
        errors={v: _grown(c.errors, first, v, "errors") for v, c in last.versions.items()},
        own_errors=max(0, last.own_errors - first.own_errors),
    )


def _grown(now: int, first: Snapshot, version: str, counter: str) -> int:
    earlier: int = getattr(first.versions[version], counter) if version in first.versions else 0
    return now - earlier if now >= earlier else now


def _requests(first: Snapshot, last: Snapshot) -> int:
    return _total(last.versions.keys(), last) - _total(last.versions.keys(), first)


def _total(versions: Iterable[str], snapshot: Snapshot) -> int:
    return sum(snapshot.versions[v].requests for v in versions if v in snapshot.versions)
