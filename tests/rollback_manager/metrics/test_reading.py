"""Readings: what two looks at counters say, and when they say nothing."""

import bisect
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.metrics.reading import (
    Counts,
    NoReading,
    Reading,
    Snapshot,
    Total,
    between,
    percentile,
    share,
    slower_than,
    total,
    traffic_between,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
Buckets = tuple[tuple[float, int], ...]


def counts(requests: int, errors: int = 0, latency_ms: Buckets = ()) -> Counts:
    return Counts(requests=requests, errors=errors, in_flight=0, serving=2, latency_ms=latency_ms)


def snapshot(second: float = 0, /, **versions: Counts) -> Snapshot:
    return Snapshot(taken_at=START + timedelta(seconds=second), versions=versions)


def test_a_reading_is_the_difference_of_two_snapshots() -> None:
    before = snapshot(v1=counts(100, 5, ((10, 90), (20, 100))))
    after = snapshot(10, v1=counts(300, 9, ((10, 190), (20, 300))))
    assert between("v1", before, after) == Reading(
        version="v1",
        requests=200,
        errors=4,
        latency_p95_ms=19.0,  # 190 of 200: 90 of the 100 between 10 and 20
        window_s=10,
        taken_at=after.taken_at,
    )


def test_ratios_are_of_the_window() -> None:
    reading = between("v1", snapshot(v1=counts(0)), snapshot(10, v1=counts(200, 4)))
    assert isinstance(reading, Reading)
    assert (reading.error_ratio, reading.requests_per_s) == (0.02, 20)


def test_an_empty_window_has_no_ratio_to_divide_by() -> None:
    nothing = Reading(
        version="v1", requests=0, errors=0, latency_p95_ms=None, window_s=0, taken_at=START
    )
    assert (nothing.error_ratio, nothing.requests_per_s) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after", "because"),
    [
        (snapshot(), snapshot(9, v1=counts(9)), "does not know this version"),
        (snapshot(v1=counts(9)), snapshot(9), "does not know this version"),
        (snapshot(9, v1=counts(1)), snapshot(9, v1=counts(9)), "the counters are stale"),
        (snapshot(9, v1=counts(1)), snapshot(8, v1=counts(9)), "the counters are stale"),
        (snapshot(v1=counts(9)), snapshot(9, v1=counts(8)), "started again from zero"),
        (snapshot(v1=counts(9, 5)), snapshot(9, v1=counts(99, 4)), "started again from zero"),
    ],
)
def test_counters_that_prove_nothing_give_no_reading(
    before: Snapshot, after: Snapshot, because: str
) -> None:
    reading = between("v1", before, after)
    assert isinstance(reading, NoReading)
    assert because in reading.because


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_a_reading_never_hides_a_failure(first: int, failed: int, more: int, fail: int) -> None:
    before = snapshot(v1=counts(first + failed, failed))
    after = snapshot(1, v1=counts(first + failed + more + fail, failed + fail))
    reading = between("v1", before, after)
    assert isinstance(reading, Reading)
    assert (reading.requests, reading.errors) == (more + fail, fail)


def test_the_share_is_of_all_requests_of_the_window() -> None:
    before = snapshot(v1=counts(1000), v2=counts(50))
    after = snapshot(5, v1=counts(1090), v2=counts(60))
    assert share("v1", before, after) == 0.9
    assert share("v2", before, after) == 0.1


def test_without_requests_there_is_no_share() -> None:
    assert share("v1", snapshot(v1=counts(9)), snapshot(5, v1=counts(9))) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (snapshot(v1=counts(0), v2=counts(500)), snapshot(5, v1=counts(100), v2=counts(40))),
        (snapshot(v1=counts(0)), snapshot(5, v1=counts(100), v2=counts(40))),
        (snapshot(v1=counts(0), v2=counts(500)), snapshot(5, v1=counts(100))),
    ],
    ids=["restarted", "new", "gone"],
)
def test_a_version_that_cannot_be_counted_leaves_the_share_unknown(
    before: Snapshot, after: Snapshot
) -> None:
    assert share("v1", before, after) is None


def test_a_version_without_counters_has_no_part_of_what_was_counted() -> None:
    assert share("v9", snapshot(v1=counts(0)), snapshot(5, v1=counts(100))) == 0


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000), min_size=1))
def test_shares_sum_to_one(requests: dict[str, int]) -> None:
    before = snapshot(**{name: counts(0) for name in requests})
    after = snapshot(5, **{name: counts(n) for name, n in requests.items()})
    shares = [share(name, before, after) for name in requests]
    known = [part for part in shares if part is not None]
    assert not known if not any(requests.values()) else sum(known) == pytest.approx(1)


@pytest.mark.parametrize(
    ("limit_ms", "slow"),
    [(10, 90), (15, 0), (20, 0), (5, 90), (21, None)],
)
def test_slow_requests_are_counted_from_the_next_edge_above(
    limit_ms: float, slow: int | None
) -> None:
    before = snapshot(v1=counts(100, 0, ((10, 90), (20, 100))))
    after = snapshot(9, v1=counts(300, 0, ((10, 180), (20, 280))))
    found = slower_than(limit_ms, "v1", before, after)
    assert (found and found.slower) == slow


def timed(number: int, within: int) -> Counts:
    return counts(number, 0, ((10, within),)).model_copy(update={"timed": number})


def test_what_is_slower_than_the_last_edge_is_timed_where_that_is_told() -> None:
    before, after = snapshot(v1=timed(100, 90)), snapshot(9, v1=timed(300, 110))
    assert slower_than(10, "v1", before, after) == (180, 200)
    reading = between("v1", before, after)
    assert isinstance(reading, Reading)
    assert reading.latency_p95_ms == 10, "the last edge, as Prometheus says it"
    untold = snapshot(9, v1=timed(300, 110).model_copy(update={"timed": None}))
    assert slower_than(10, "v1", before, untold) == (0, 20)


def test_what_two_have_added_up_is_not_compared() -> None:
    before, after = snapshot(v1=counts(10)), snapshot(9, v1=counts(30))
    other = after.model_copy(update={"counted_by": "another"})
    reading = between("v1", before, other)
    assert isinstance(reading, NoReading)
    assert reading.because == "the counting began again"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (snapshot(), snapshot(9, v1=counts(9, 0, ((10, 9),)))),
        (snapshot(v1=counts(9)), snapshot(9)),
        (snapshot(v1=counts(9)), snapshot(9, v1=counts(99))),
        (
            snapshot(v1=counts(9, 0, ((10, 9), (20, 9)))),
            snapshot(9, v1=counts(99, 0, ((10, 9), (20, 9)))),  # the histogram stands still
        ),
    ],
)
def test_without_latencies_nobody_is_called_fast(before: Snapshot, after: Snapshot) -> None:
    assert slower_than(10, "v1", before, after) is None


@pytest.mark.parametrize(
    ("buckets", "quantile", "value"),
    [
        ((), 0.95, None),
        (((10, 0), (20, 0)), 0.95, None),
        (((10, 100),), 0.95, 9.5),
        (((10, 100),), 1.0, 10),
        (((10, 0), (20, 100)), 0.5, 15),  # an empty first bucket is no weight at 10
        (((10, 50), (20, 100)), 0.5, 10),  # exactly on an edge
        (((10, 50), (20, 100)), 0.75, 15),
        (((1, 90), (5, 94), (25, 100)), 0.95, 5 + 20 / 6),
        (((10, 50), (20, 50), (40, 100)), 0.95, 38),  # an empty bucket in between
        (((10, 0), (20, 100)), 0.0, 10),
    ],
)
def test_percentiles_are_linear_inside_a_bucket(
    buckets: Buckets, quantile: float, value: float | None
) -> None:
    assert percentile(buckets, quantile) == (None if value is None else pytest.approx(value))


@given(st.lists(st.floats(0, 999), min_size=1, max_size=80), st.floats(0.01, 1))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(
    latencies: list[float], quantile: float
) -> None:
    edges = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000]
    buckets = tuple((float(edge), sum(ms <= edge for ms in latencies)) for edge in edges)
    estimate = percentile(buckets, quantile)
    ranked = sorted(latencies)
    true = ranked[max(0, -(-int(quantile * len(ranked) * 1e9) // 10**9) - 1)]
    place = bisect.bisect_left(edges, true)
    low = edges[place - 1] if place else 0
    assert estimate is not None
    assert low <= estimate <= edges[place] + 1e-6


@given(st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_quantile_is_never_faster(one: float, other: float) -> None:
    buckets = ((1.0, 3), (5.0, 3), (25.0, 40), (100.0, 41))
    low, high = percentile(buckets, min(one, other)), percentile(buckets, max(one, other))
    assert low is not None
    assert high is not None
    assert low <= high + 1e-9


def test_the_total_is_of_all_versions() -> None:
    assert total(snapshot(3, v1=counts(10), v2=counts(5))) == Total(
        requests=15, at=START + timedelta(seconds=3)
    )


@pytest.mark.parametrize(
    ("seconds", "requests", "per_s"),
    [
        (10, 400, 40.0),
        (2, 30, 15.0),
        (1.9, 400, None),  # a burst would decide it
        (10, 29, None),
        (3600, 3600, 1.0),
        (3601, 36000, None),  # another time of day
        (10, -5, None),  # the proxy counts anew
        (-10, 400, None),
    ],
)
def test_traffic_is_measured_in_a_window_that_tells_what_is_usual(
    seconds: float, requests: int, per_s: float | None
) -> None:
    later = Total(requests=1000 + requests, at=START + timedelta(seconds=seconds))
    assert traffic_between(Total(requests=1000, at=START), later) == per_s
