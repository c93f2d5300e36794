"""What was measured of a version: counters of two moments, and the reading between them."""

from datetime import datetime
from typing import Literal, NamedTuple

from rollback_manager.values import Ratio, Seconds, Value

FEWEST_SECONDS, MOST_SECONDS, FEWEST_REQUESTS = 2.0, 3600.0, 30


class Counts(Value):
    """Counters of one version, cumulative since the proxy came up, and its gauges of now.

    `latency_ms` holds (upper edge in ms, requests at or below it), rising; the last edge is
    infinite in the source and left out here. `timed`: requests at or below that one, so all that
    were timed; None where it is not told, and those of the last finite edge are taken for all.
    Gauges are 0 where it was not the proxy that counted.
    """

    requests: int
    errors: int
    in_flight: int
    serving: int
    latency_ms: tuple[tuple[float, int], ...] = ()
    timed: int | None = None


class Snapshot(Value):
    """All counters of a service at one moment. `own_errors`: 5xx that no version gave.

    `counted_by`: who added the counters up, if not the proxy; what two of them counted cannot be
    compared. `blind`: why nothing is counted; empty where it is. `settles`: what is in flight is
    known from the next reading on.
    """

    taken_at: datetime
    versions: dict[str, Counts]
    own_errors: int = 0
    counted_by: str = ""
    blind: str = ""
    settles: bool = False


class Reading(Value):
    """Answers of one version over one window."""

    kind: Literal["reading"] = "reading"
    version: str
    requests: int
    errors: int
    latency_p95_ms: float | None
    window_s: Seconds
    taken_at: datetime

    @property
    def error_ratio(self) -> Ratio:
        """Errors ÷ requests; 0 where nothing was asked (look at `requests` first)."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def requests_per_s(self) -> float:
        """Requests ÷ seconds of the window."""
        return self.requests / self.window_s if self.window_s else 0.0


class NoReading(Value):
    """Why there is no reading. No data is never a pass."""

    kind: Literal["no_reading"] = "no_reading"
    version: str
    because: str


def between(version: str, before: Snapshot, after: Snapshot) -> Reading | NoReading:
    """The reading of `version` in the window between two snapshots."""
    first, last = before.versions.get(version), after.versions.get(version)
    window_s = (after.taken_at - before.taken_at).total_seconds()
    if first is None or last is None:
        return NoReading(version=version, because="the traffic role does not know this version")
    if before.counted_by != after.counted_by:
        return NoReading(version=version, because="the counting began again")
    if window_s <= 0:
        return NoReading(version=version, because="the counters are stale: no time between them")
    if last.requests < first.requests or last.errors < first.errors:
        return NoReading(version=version, because="the counters started again from zero")
    return Reading(
        version=version,
        requests=last.requests - first.requests,
        errors=last.errors - first.errors,
        latency_p95_ms=percentile(_buckets(first, last), 0.95, _timed(first, last)),
        window_s=window_s,
        taken_at=after.taken_at,
    )


def share(version: str, before: Snapshot, after: Snapshot) -> Ratio | None:
    """Share of all requests of the window that `version` got.

    None when there were none, or when those of any version are not known: a version left out of
    the sum would make the share of the others look larger than it is.
    """
    names = before.versions.keys() | after.versions.keys()
    got = {name: between(name, before, after) for name in names}
    counts = {name: r.requests for name, r in got.items() if isinstance(r, Reading)}
    total = sum(counts.values()) if counts.keys() == names else 0
    return counts.get(version, 0) / total if total else None


class Total(Value):
    """Requests that all versions together had answered at one moment, since the proxy counts."""

    requests: int
    at: datetime


def total(snapshot: Snapshot) -> Total:
    """The total of all its versions."""
    requests = sum(counts.requests for counts in snapshot.versions.values())
    return Total(requests=requests, at=snapshot.taken_at)


def traffic_between(first: Total, last: Total) -> float | None:
    """Requests per second between the two, if that tells what is usual.

    None for a window of less than FEWEST_SECONDS or FEWEST_REQUESTS, which a burst would decide, of
    more than MOST_SECONDS, for the time of day changes traffic too, or over a restart of the proxy.
    """
    window_s = (last.at - first.at).total_seconds()
    requests = last.requests - first.requests
    if not FEWEST_SECONDS <= window_s <= MOST_SECONDS or requests < FEWEST_REQUESTS:
        return None
    return requests / window_s


class Slow(NamedTuple):
    """How many of the timed requests of a window were slower than a limit."""

    slower: int
    timed: int


def slower_than(limit_ms: float, version: str, before: Snapshot, after: Snapshot) -> Slow | None:
    """Requests of the window slower than `limit_ms`, counted from the next bucket edge above it.

    Out of those that were timed: the proxy updates its histograms later than its counters. What
    took longer than its last edge is not among them: it met the proxy's time-out, an error.
    None when nothing was timed, or no edge is as high as the limit.
    """
    first, last = before.versions.get(version), after.versions.get(version)
    if first is None or last is None or not last.latency_ms:
        return None
    buckets, timed = _buckets(first, last), _timed(first, last)
    within = next((count for edge, count in buckets if edge >= limit_ms), None)
    if not timed or within is None:
        return None
    return Slow(slower=max(0, timed - within), timed=timed)


def percentile(
    buckets: tuple[tuple[float, int], ...], quantile: Ratio, timed: int | None = None
) -> float | None:
    """The quantile of cumulative buckets, linear inside a bucket as Prometheus does it.

    timed: requests above the last edge among them; a quantile up there is the last edge.
    """
    counted = buckets[-1][1] if buckets else 0
    total = counted if timed is None else timed
    if total <= 0 or not buckets:
        return None
    wanted = quantile * total
    if wanted > counted:
        return buckets[-1][0]
    place = next(n for n, (_, count) in enumerate(buckets) if count >= wanted)
    low_edge, low_count = buckets[place - 1] if place else (0.0, 0)
    edge, count = buckets[place]
    inside = (wanted - low_count) / (count - low_count) if count > low_count else 1.0
    return low_edge + (edge - low_edge) * inside


def _buckets(first: Counts, last: Counts) -> tuple[tuple[float, int], ...]:
    earlier = dict(first.latency_ms)
    return tuple((edge, max(0, count - earlier.get(edge, 0))) for edge, count in last.latency_ms)


def _timed(first: Counts, last: Counts) -> int:
    """Requests of the window that were timed."""
    if first.timed is not None and last.timed is not None:
        return max(0, last.timed - first.timed)
    buckets = _buckets(first, last)
    return buckets[-1][1] if buckets else 0
