"""Samples of counters: what grew, and each way in which nothing can be said."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.metrics.increments import Sample, Series
from rollback_manager.metrics.reading import NoReading, Slow
from rollback_manager.metrics.series import Increase, Look, Used, look
from rollback_manager.metrics.sources import ErrorsByLabel, ErrorsMetric, PrometheusSource

START = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = PrometheusSource(
    kind="prometheus",
    url="http://127.0.0.1:9090",
    requests="requests_total",
    errors=ErrorsByLabel(kind="label", label="code", matches="5.."),
    latency="seconds",
    scrape_interval_s=10,
)
OWN_ERRORS = SOURCE.model_copy(
    update={"errors": ErrorsMetric(kind="metric", metric="errors_total"), "latency": None}
)
Values = Mapping[float, float]


def moment(second: float) -> datetime:
    return START + timedelta(seconds=second)


def counter(values: Values, name: str = "requests_total", **labels: str) -> Series:
    """Second → value; of version v1, code 200, on one instance."""
    labels = {"version": "v1", "job": "shop", "instance": "a:80", "code": "200"} | labels
    samples = (Sample(START.timestamp() + at, float(value)) for at, value in sorted(values.items()))
    return Series({"__name__": name} | labels, tuple(samples))


def steady(end: int = 30, per_scrape: int = 10, first: int = 0) -> dict[float, float]:
    return {at: first + at / 10 * per_scrape for at in range(0, end + 1, 10)}


def seen(
    *series: Series, at: float = 30, used: Used | None = None, source: PrometheusSource = SOURCE
) -> Look:
    return look(series, source, ["v1"], used or Used(), moment(at))


def increase(*series: Series, at: float = 30, source: PrometheusSource = SOURCE) -> Increase:
    found = seen(*series, at=at, source=source).found["v1"]
    assert isinstance(found, Increase), found
    return found


def because(found: Increase | NoReading) -> str:
    assert isinstance(found, NoReading), found
    return found.because


def why(*series: Series, at: float = 30, source: PrometheusSource = SOURCE) -> str:
    return because(seen(*series, at=at, source=source).found["v1"])


# What grew


def test_growth_is_counted_from_the_first_sample_with_its_window_and_age() -> None:
    found = increase(counter(steady(first=500)), counter({0: 4, 10: 4, 20: 5, 30: 7}, code="503"))
    assert (found.requests, found.errors, found.error_ratio) == (33, 3, 3 / 33)
    assert (found.window_s, found.age_s, found.samples) == (30, 0, 3)


def test_instances_of_a_version_are_added_up() -> None:
    other = counter({2: 7, 12: 8, 22: 9}, instance="b:80")
    assert increase(counter(steady()), other).requests == 32


def test_another_version_is_another_arm() -> None:
    series = [counter(steady()), counter(steady(per_scrape=99), version="v2", instance="b:80")]
    found = look(series, SOURCE, ["v1", "v2"], Used(), moment(30)).found
    counts = {name: one.requests for name, one in found.items() if isinstance(one, Increase)}
    assert counts == {"v1": 30, "v2": 297}


def test_the_first_error_of_an_instance_counts_though_its_counter_is_new() -> None:
    assert increase(counter(steady()), counter({20: 2, 30: 5}, code="500")).errors == 5


def test_a_new_instance_begins_with_its_first_sample_for_its_past_is_not_known() -> None:
    new = [counter({20: 900, 30: 905}, instance="b:80")]
    new += [counter({20: 90, 30: 91}, instance="b:80", code="500")]
    found = increase(counter(steady()), *new)
    assert (found.requests, found.errors) == (36, 1)


def test_nothing_before_the_release_is_counted() -> None:
    used = Used(since=moment(15))
    found = seen(counter(steady()), used=used)
    assert isinstance(found.found["v1"], Increase)
    assert found.found["v1"].requests == 20  # from the sample at 10 s on
    assert found.used.since == moment(15)


def test_errors_may_have_a_metric_of_their_own() -> None:
    errors = counter({0: 1, 10: 1, 20: 3, 30: 3}, "errors_total")
    assert increase(counter(steady()), errors, source=OWN_ERRORS).errors == 2


def test_a_version_without_an_error_yet_has_none_where_another_version_shows_the_metric() -> None:
    errors = counter({0: 1, 10: 1}, "errors_total", version="v0")
    assert increase(counter(steady()), errors, source=OWN_ERRORS).errors == 0


def buckets(**values: Values) -> list[Series]:
    edges = {"fast": "0.1", "slow": "1.0", "all": "+Inf"}
    return [counter(one, "seconds_bucket", le=edges[name]) for name, one in values.items()]


def test_latency_is_counted_in_milliseconds_and_to_the_last_request() -> None:
    series = buckets(fast={0: 5, 30: 15}, slow={0: 6, 30: 26}, all={0: 6, 30: 36})
    found = increase(counter(steady()), *series)
    assert (found.latency_ms, found.timed) == (((100.0, 10), (1000.0, 20)), 30)
    assert found.slower_than(100) == Slow(slower=20, timed=30)
    assert found.slower_than(150) == Slow(slower=10, timed=30)
    assert found.slower_than(2000) is None


def test_a_restart_does_not_make_its_version_look_slow() -> None:
    """All 30 requests after it were fast; that bucket alone has overtaken its old value."""
    series = buckets(fast={0: 20, 10: 30}, slow={0: 90, 10: 30}, all={0: 99, 10: 30})
    found = increase(counter({0: 99, 10: 30}), *series, at=10)
    assert found.slower_than(100) == Slow(slower=0, timed=30)


def test_only_edges_that_all_instances_have_are_added_up() -> None:
    other = [
        counter({0: 0, 30: 8}, "seconds_bucket", le=le, instance="b:80") for le in ("1", "Inf")
    ]
    series = buckets(fast={0: 0, 30: 5}, slow={0: 0, 30: 6}, all={0: 0, 30: 7})
    assert increase(counter(steady()), *series, *other).latency_ms == ((1000.0, 14),)


def test_without_buckets_latency_is_not_known_and_nothing_else_is_lost() -> None:
    odd = counter(steady(), "seconds_bucket", le="fast")
    found = increase(counter(steady()), odd)
    assert found.notes == ("latency is not known: no buckets of seconds",)
    assert (found.requests, found.slower_than(1)) == (30, None)


def test_a_histogram_without_its_last_bucket_is_not_read() -> None:
    found = increase(counter(steady()), *buckets(fast={0: 0, 30: 5}))
    assert found.notes == ("latency is not known: no buckets of seconds",)


# What happened on the way


def test_after_a_reset_the_new_value_is_the_growth() -> None:
    found = increase(counter({0: 100, 10: 110, 20: 4, 30: 9}))
    assert found.requests == 19
    assert found.notes[0] == "reset: counters of 1 of 1 instances began again from zero"


def test_a_gap_is_counted_at_its_end_and_told() -> None:
    found = increase(counter({0: 0, 10: 10, 50: 60}), at=50)
    assert (found.requests, found.window_s) == (60, 50)
    assert found.notes[0] == "scrape gap: 40 s without a sample are counted at their end"


def test_two_missed_scrapes_are_no_gap() -> None:
    found = increase(counter({0: 0, 10: 10, 40: 60}), at=40)
    assert not any("gap" in note for note in found.notes)


def test_after_a_gap_longer_than_the_range_counting_begins_again() -> None:
    first = seen(counter(steady()))
    again = seen(counter({200: 900}), at=200, used=first.used)
    assert because(again.found["v1"]) == (
        "scrape gap: the last sample used is over 90 s old, counting begins again"
    )
    found = seen(counter({200: 900, 210: 903}), at=210, used=again.used).found["v1"]
    assert isinstance(found, Increase)
    assert found.requests == 3
    found = seen(counter({200: 900, 210: 903}), at=210, used=first.used).found["v1"]
    assert isinstance(found, Increase)
    assert found.notes[0] == "scrape gap: counting of 1 of 1 instances began again"


def test_an_instance_that_fell_silent_is_told_of() -> None:
    found = increase(counter(steady(90)), counter(steady(30), instance="b:80"), at=90)
    assert "stale: 1 of 2 instances are silent for over 30 s" in found.notes


def test_a_sample_that_is_no_number_is_passed_over_once_there_are_numbers_again() -> None:
    assert increase(counter({0: 0, 10: math.nan, 20: 20, 30: 30})).requests == 30


def test_a_counter_that_was_no_number_at_first_does_not_begin_at_zero() -> None:
    odd = counter({0: math.nan, 10: 500, 20: 501, 30: 501}, code="500")
    assert increase(counter(steady()), odd).errors == 1
    never = counter({0: math.nan}, code="500")
    found = increase(counter(steady(60)), never, at=60)
    assert found.errors == 0
    assert found.notes[-2] == "not a number: a series that ended before has no value"


def test_a_job_that_was_renamed_counts_once() -> None:
    renamed = counter({50: 60, 60: 70}, job="new")
    assert increase(counter(steady()), renamed, at=60).requests == 40


# No reading, and why


@pytest.mark.parametrize("version", ["v2", "V1", "v1 ", '"} or {x="'])
def test_one_arm_only_names_what_there_is(version: str) -> None:
    found = look([counter(steady())], SOURCE, [version], Used(), moment(30)).found[version]
    assert because(found) == f"one arm only: version=v1 is counted, {version!r} is not"


def test_no_series_at_all_is_empty() -> None:
    assert why() == "empty: no series of requests_total for this service in the last 90 s"


def test_series_without_a_version_are_told_apart_from_none() -> None:
    said = why(counter(steady(), version=""))
    assert said == "empty: none of 1 series of requests_total has a label 'version'"


def test_an_old_newest_sample_is_stale() -> None:
    assert why(counter(steady()), at=61) == "stale: its newest sample is 31 s old, over 30 s"


def test_samples_from_the_future_are_a_clock_that_is_wrong() -> None:
    said = why(counter(steady()), at=20)
    assert said == "clock skew: its newest sample is from 10 s in the future"
    assert increase(counter(steady()), at=28.5).requests == 30


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_newest_value_that_is_no_number_is_no_reading(value: float) -> None:
    assert why(counter({0: 0, 10: 10, 30: value})) == f"not a number: requests_total is {value}"


@pytest.mark.parametrize("value", [-1, 10.5])
def test_what_is_no_count_is_a_wrong_metric_or_unit(value: float) -> None:
    assert why(counter({0: 0, 30: value})).startswith("not a count: requests_total has values")


def test_two_jobs_that_scrape_one_instance_would_count_each_request_twice() -> None:
    said = why(counter(steady()), counter({5: 5, 15: 15}, job="other"))
    assert said == (
        "duplicate series: requests_total of a:80 is there twice (job other and shop);"
        " each request would count twice"
    )


def test_the_same_labels_twice_are_a_duplicate() -> None:
    assert why(counter({0: 0}), counter({30: 9})).startswith("duplicate series: ")


def test_errors_by_a_label_that_no_series_has_are_not_zero() -> None:
    said = why(counter(steady(), code=""), counter(steady(), version="v2"))
    assert said == (
        "errors cannot be counted: no series of requests_total of this version has a label 'code'"
    )


def test_errors_by_a_metric_that_nobody_has_are_not_zero() -> None:
    said = why(counter(steady()), source=OWN_ERRORS)
    assert said == "errors cannot be counted: no version has a series of errors_total"


def test_more_errors_than_requests_are_a_wrong_metric() -> None:
    errors = counter(steady(per_scrape=11), "errors_total")
    said = why(counter(steady()), errors, source=OWN_ERRORS)
    assert said == "more errors (33) than requests (30): a wrong metric?"


def test_a_wrong_metric_uses_nothing_up() -> None:
    errors = counter(steady(per_scrape=11), "errors_total")
    assert seen(counter(steady()), errors, source=OWN_ERRORS).used.until == {"v1": {}}


def test_where_counting_began_is_kept_though_nothing_grew_yet() -> None:
    first = seen(counter({0: 5}), at=0)
    found = seen(counter({20: 9, 30: 9}), used=first.used).found["v1"]
    assert isinstance(found, Increase)
    assert found.notes[0] == "scrape gap: counting of 1 of 1 instances began again"


def test_one_sample_is_no_growth() -> None:
    said = why(counter({30: 500}))
    assert said == "first sample: growth is known from the next scrape on"


def test_where_nothing_came_since_the_last_look_there_is_no_reading() -> None:
    first = seen(counter(steady()))
    again = seen(counter(steady()), at=33, used=first.used)
    assert because(again.found["v1"]) == "nothing new: its last sample, 3 s old, is used already"
    assert again.used == first.used


def test_no_requests_are_a_reading_of_none_and_no_ratio() -> None:
    found = increase(counter({0: 7, 10: 7, 20: 7, 30: 7}))
    assert (found.requests, found.error_ratio) == (0, None)


def test_what_could_not_be_read_is_counted_by_the_next_look() -> None:
    first = seen(counter(steady(10)), at=10)
    broken = seen(counter(steady(10) | {20: math.nan}), at=20, used=first.used)
    assert because(broken.found["v1"]).startswith("not a number")
    assert broken.used == first.used
    found = seen(counter(steady(10) | {20: math.nan, 30: 30}), used=broken.used).found["v1"]
    assert isinstance(found, Increase)
    assert (found.requests, found.window_s) == (20, 20)


def test_a_version_that_was_not_asked_for_is_not_counted_twice_later() -> None:
    series = [counter(steady()), counter(steady(), version="v2", instance="b:80")]
    first = look(series, SOURCE, ["v1", "v2"], Used(), moment(30))
    between = look(series, SOURCE, ["v2"], first.used, moment(31))
    assert because(look(series, SOURCE, ["v1"], between.used, moment(32)).found["v1"]).startswith(
        "nothing new"
    )


def test_a_target_that_was_away_for_an_hour_is_forgotten() -> None:
    first = seen(counter(steady()))
    later = seen(counter({4000: 5}), at=4000, used=first.used)
    assert because(later.found["v1"]).startswith("first sample")


# Cut anywhere, and made again

STEPS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 5), st.booleans()), min_size=2, max_size=20
)
"""Good answers, errors of one scrape, and whether the process restarted before it."""


def arm(steps: list[tuple[int, int, bool]], instance: str, offset: int) -> list[Series]:
    """Two counters; that of errors is there from its first error on, as client libraries do it."""
    answered, errors = 0, 0
    good: dict[float, float] = {}
    bad: dict[float, float] = {}
    for n, (more, failed, restarted) in enumerate(steps):
        at = n * 10 + offset
        answered, errors = (0, 0) if restarted else (answered, errors)
        answered, errors = answered + more, errors + failed
        good[at] = answered
        if errors or bad:
            bad[at] = errors
    series = [counter(good, instance=instance)]
    return [*series, counter(bad, code="500", instance=instance)] if bad else series


def until(second: float, series: list[Series]) -> list[Series]:
    """What a query at that second would give: 90 s, back from it."""
    now = moment(second).timestamp()
    cut = [(s.labels, tuple(x for x in s.samples if now - 90 < x.at_s <= now)) for s in series]
    return [Series(labels, samples) for labels, samples in cut if samples]


def total(found: list[Increase | NoReading]) -> tuple[int, int]:
    got = [one for one in found if isinstance(one, Increase)]
    return sum(one.requests for one in got), sum(one.errors for one in got)


@given(STEPS, STEPS, st.lists(st.integers(5, 60), min_size=1, max_size=40))
def test_however_the_series_is_cut_into_looks_the_sum_is_the_same(
    one: list[tuple[int, int, bool]], other: list[tuple[int, int, bool]], pauses: list[int]
) -> None:
    source = SOURCE.model_copy(update={"latency": None})
    series = [*arm(one, "a:80", 0), *arm(other, "b:80", 3)]
    end = max(len(one), len(other)) * 10
    found: list[Increase | NoReading] = []
    used, at = Used(), 0
    for pause in [*pauses, *([20] * 20)]:
        at += pause
        if at > end:
            break
        cut = until(at, series)
        before = used
        result = look(cut, source, ["v1"], used, moment(at))
        found.append(result.found["v1"])
        assert look(cut, source, ["v1"], before, moment(at)) == result  # a retry changes nothing
        used = result.used
        assert not isinstance(look(cut, source, ["v1"], used, moment(at)).found["v1"], Increase)
    found.append(look(until(end, series), source, ["v1"], used, moment(end)).found["v1"])
    good, bad = (sum(grown(steps, which) for steps in (one, other)) for which in (0, 1))
    assert total(found) == (good + bad, bad)


def grown(steps: list[tuple[int, int, bool]], which: int) -> int:
    """What the counters say by Prometheus' rule, by other means than the code's."""
    value, result = steps[0][which], 0
    for more, failed, restarted in steps[1:]:
        now = (0 if restarted else value) + (more, failed)[which]
        result += now - value if now >= value else now
        value = now
    return result
