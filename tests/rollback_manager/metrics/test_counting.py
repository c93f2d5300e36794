"""Growth added up to counters: once each, as of one moment, and what cannot be told."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_manager.metrics.counting import Counting
from rollback_manager.metrics.increments import Sample, Series
from rollback_manager.metrics.reading import (
    NoReading,
    Reading,
    Slow,
    Snapshot,
    between,
    slower_than,
)
from rollback_manager.metrics.sources import ErrorsByLabel, PrometheusSource

START = datetime(2026, 3, 1, tzinfo=UTC)
BEGAN_S = START.timestamp()
INTERVAL_S = 15.0
PER_S = 40.0
SOURCE = PrometheusSource(
    kind="prometheus",
    url="http://127.0.0.1:9090",
    requests="requests_total",
    errors=ErrorsByLabel(kind="label", label="code", matches="5.."),
    latency="seconds",
    scrape_interval_s=INTERVAL_S,
)


@dataclass(frozen=True)
class Target:
    """One instance that is scraped `offset_s` after each full interval; trouble: (from, to)."""

    version: str
    offset_s: float = 0.0
    trouble: tuple[float, float] = (0.0, 0.0)
    share: float = 0.3
    since_s: float = -600.0
    until_s: float = math.inf
    missed: tuple[float, float] = (0.0, 0.0)

    def errors(self, at_s: float) -> float:
        begin, end = self.trouble
        return math.floor(PER_S * self.share * max(0.0, min(at_s, end) - begin))

    def requests(self, at_s: float) -> float:
        return math.floor(PER_S * (at_s + 600))

    def series(self, at_s: float) -> Iterable[Series]:
        times = [at for at in self._scrapes(at_s) if at > at_s - SOURCE.range_s]
        total = [(at, self.requests(at)) for at in times]
        wrong = [(at, self.errors(at)) for at in times if self.errors(at)]
        yield self._counter([(at, n - self.errors(at)) for at, n in total], code="200")
        yield self._counter(wrong, code="500")
        for edge, share in (("0.1", 0.9), ("+Inf", 1.0)):
            rows = [(at, math.floor(share * n)) for at, n in total]
            yield self._counter(rows, "seconds_bucket", le=edge)

    def _scrapes(self, at_s: float) -> Iterable[float]:
        first, end = math.ceil(self.since_s / INTERVAL_S), math.floor(at_s / INTERVAL_S) + 1
        every = (number * INTERVAL_S + self.offset_s for number in range(first, end + 1))
        lost_from, lost_to = self.missed
        return [
            at for at in every if at <= min(at_s, self.until_s) and not lost_from < at < lost_to
        ]

    def _counter(
        self, rows: Sequence[tuple[float, float]], name: str = "requests_total", **labels: str
    ) -> Series:
        where = {"version": self.version, "instance": f"{self.version}-{self.offset_s}"}
        samples = tuple(Sample(BEGAN_S + at, float(value)) for at, value in rows)
        return Series({"__name__": name} | where | labels, samples)


def moment(at_s: float) -> datetime:
    return START + timedelta(seconds=at_s)


def series(targets: Iterable[Target], at_s: float) -> list[Series]:
    return [one for target in targets for one in target.series(at_s) if one.samples]


class Watcher:
    """Looks again and again, as somebody who polls does."""

    def __init__(self, *targets: Target, versions: tuple[str, ...] = ("v2", "v1")) -> None:
        self.targets = targets
        self.counting = Counting(SOURCE, versions, name="test")
        self.said: list[Snapshot | NoReading] = []

    def look(self, at_s: float) -> Snapshot | NoReading:
        more = self.counting.with_more(series(self.targets, at_s), moment(at_s))
        self.counting = more.counting
        self.said.append(more.said)
        return more.said

    def until(self, at_s: float, begin_s: float = 0.0, every_s: float = 5.0) -> "Watcher":
        for number in range(int((at_s - begin_s) / every_s) + 1):
            self.look(begin_s + number * every_s)
        return self

    @property
    def snapshots(self) -> list[Snapshot]:
        """Those that differ."""
        every = [one for one in self.said if isinstance(one, Snapshot)]
        return [one for number, one in enumerate(every) if not number or one != every[number - 1]]

    def readings(self, version: str) -> list[Reading]:
        found = (between(version, before, after) for before, after in pairwise(self.snapshots))
        return [one for one in found if isinstance(one, Reading)]

    def why(self, at_s: float) -> str:
        said = self.look(at_s)
        assert isinstance(said, NoReading), said
        return said.because


def test_a_snapshot_stays_the_same_until_every_target_was_scraped_once_more() -> None:
    one = Watcher(Target("v1", 3.0), Target("v2", 11.0)).until(300, every_s=1.0)
    assert len(one.said) > 300
    moments = [snapshot.taken_at for snapshot in one.snapshots]
    assert {later - earlier for earlier, later in pairwise(moments)} == {timedelta(seconds=15)}
    assert all(reading.requests == 15 * PER_S for reading in one.readings("v2"))


def test_windows_and_rates_are_those_of_the_samples_and_not_of_the_looks() -> None:
    one = Watcher(Target("v1"), Target("v2")).until(120, every_s=0.7)
    assert [reading.requests_per_s for reading in one.readings("v1")] == [PER_S] * len(
        one.readings("v1")
    )
    assert one.snapshots[-1].taken_at == moment(105)


@pytest.mark.parametrize("offset_s", [0.5, 7.5, 14.5])
@pytest.mark.parametrize("version_first", [True, False])
@pytest.mark.parametrize("began_s", [100.0, 109.5])
@pytest.mark.parametrize("lasts_s", [15.0, 40.0])
def test_trouble_of_both_never_shows_in_the_release_alone(
    offset_s: float, version_first: bool, began_s: float, lasts_s: float
) -> None:
    """The release may have twice the control's errors and one in a hundred more."""
    trouble = (began_s, began_s + lasts_s)
    old, new = (0.0, offset_s) if version_first else (offset_s, 0.0)
    one = Watcher(Target("v1", old, trouble), Target("v2", new, trouble)).until(300)
    pairs = list(zip(one.readings("v2"), one.readings("v1"), strict=True))
    assert sum(reading.errors for reading, _ in pairs) > 100
    for reading, control in pairs:
        assert reading.error_ratio <= 2 * control.error_ratio + 0.01


@settings(deadline=None, max_examples=15)
@given(
    offsets=st.lists(st.floats(0, 14.9), min_size=2, max_size=4, unique=True),
    steps=st.lists(st.floats(0.3, 25), min_size=10, max_size=30),
    began_s=st.floats(20, 60),
)
def test_every_request_counts_once_however_it_is_looked_at(
    offsets: list[float], steps: list[float], began_s: float
) -> None:
    """Up to one that is cut in two by the first and one by the last moment, per counter."""
    new = [Target("v2", offset, (began_s, 70.0)) for offset in offsets]
    one, at_s = Watcher(Target("v1"), *new), 0.0
    for step_s in steps:
        at_s += step_s
        one.look(at_s)
    one.until(at_s + 120, begin_s=at_s)
    first, last = one.snapshots[0], one.snapshots[-1]
    reading = between("v2", first, last)
    assert isinstance(reading, Reading)
    begin_s, end_s = (one.taken_at.timestamp() - BEGAN_S for one in (first, last))
    asked = PER_S * (end_s - begin_s) * len(new)
    assert reading.requests == pytest.approx(asked, abs=4 * len(new))
    if begin_s <= began_s - INTERVAL_S and end_s >= 70 + INTERVAL_S:
        failed = sum(target.errors(80) for target in new)
        assert reading.errors == failed


def test_slow_requests_beyond_the_last_edge_are_timed_too() -> None:
    one = Watcher(Target("v1"), Target("v2")).until(200)
    first, last = one.snapshots[0], one.snapshots[-1]
    slow = slower_than(90, "v2", first, last)
    assert (
        slow == Slow(slower=slow.timed - round(0.9 * slow.timed), timed=slow.timed) if slow else 0
    )
    reading = between("v2", first, last)
    assert isinstance(reading, Reading)
    assert reading.latency_p95_ms == 100, "as Prometheus says of what lies beyond the last edge"


def test_an_instance_that_died_is_not_waited_for() -> None:
    dead = Target("v2", 7.0, until_s=100.0)
    one = Watcher(Target("v1"), Target("v2", 3.0), dead).until(200)
    assert max(b.taken_at - a.taken_at for a, b in pairwise(one.snapshots)) <= timedelta(seconds=30)


def test_a_scrape_that_failed_is_counted_with_the_next_and_no_gap() -> None:
    one = Watcher(Target("v1"), Target("v2", 4.0, missed=(100.0, 130.0))).until(240)
    assert not any(isinstance(said, NoReading) for said in one.said)
    assert len({snapshot.counted_by for snapshot in one.snapshots}) == 1
    first, last = one.snapshots[0], one.snapshots[-1]
    window_s = (last.taken_at - first.taken_at).total_seconds()
    reading = between("v2", first, last)
    assert isinstance(reading, Reading)
    assert reading.requests == pytest.approx(PER_S * window_s, abs=2)


def test_one_arm_that_is_silent_is_a_reason_that_names_it() -> None:
    one = Watcher(Target("v1"), Target("v2", until_s=100.0)).until(110)
    assert one.why(160).startswith("v2: stale: its newest sample is ")
    one = Watcher(Target("v1"))
    assert one.why(60) == "v2: one arm only: version=v1 is counted, 'v2' is not"
    assert Watcher().why(60).startswith("empty: no series of requests_total for this service")


def test_after_a_gap_beyond_the_range_no_window_reaches_over_it() -> None:
    gap = (100.0, 300.0)
    one = Watcher(Target("v1", missed=gap), Target("v2", missed=gap)).until(400)
    names = list(dict.fromkeys(snapshot.counted_by for snapshot in one.snapshots))
    assert names == ["test.0", "test.1"]
    said = between("v2", one.snapshots[0], one.snapshots[-1])
    assert isinstance(said, NoReading)
    assert said.because == "the counting began again"


def test_nobody_who_was_away_goes_on_where_he_was_before_the_range() -> None:
    one = Watcher(Target("v1"), Target("v2")).until(60)
    before = one.snapshots[-1]
    after = one.look(60 + SOURCE.range_s + 20)
    assert isinstance(after, Snapshot)
    assert isinstance(between("v2", before, after), NoReading)


def test_other_buckets_begin_again_and_missing_ones_do_not() -> None:
    one = Watcher(Target("v1"), Target("v2")).until(60)
    every = series(one.targets, 90)
    none = [s for s in every if not s.name.endswith("_bucket") or s.labels["version"] == "v1"]
    more = one.counting.with_more(none, moment(90))
    assert isinstance(more.said, Snapshot)
    assert more.said.counted_by == "test.0"
    other = [s._replace(labels={**s.labels, "le": "0.2"}) if s.labels.get("le") == "0.1" else s
             for s in every]  # fmt: skip
    again = one.counting.with_more(other, moment(90)).said
    assert isinstance(again, Snapshot)
    assert again.counted_by == "test.1"


def test_a_restart_of_an_instance_is_counted_on_and_told() -> None:
    one = Watcher(Target("v1"), Target("v2")).until(60)
    every = series(one.targets, 91)
    restarted = [_restarted(s) if s.labels["version"] == "v2" else s for s in every]
    more = one.counting.with_more(restarted, moment(91))
    assert isinstance(more.said, Snapshot)
    assert isinstance(between("v2", one.snapshots[-1], more.said), Reading)
    assert more.notes == ("v2: reset: counters of 1 of 1 instances began again from zero",)


def _restarted(one: Series) -> Series:
    last = one.samples[-1]
    return replace_last(one, last._replace(value=3.0))


def replace_last(one: Series, last: Sample) -> Series:
    return one._replace(samples=(*one.samples[:-1], last))


Spoil = Callable[[Series], Series]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda s: replace_last(s, s.samples[-1]._replace(value=math.nan)), "not a number"),
        (lambda s: replace_last(s, s.samples[-1]._replace(value=math.inf)), "not a number"),
        (lambda s: replace_last(s, s.samples[-1]._replace(at_s=BEGAN_S + 99)), "clock skew"),
        (lambda s: replace_last(s, s.samples[-1]._replace(value=-1.0)), "not a count"),
    ],
)
def test_what_cannot_be_used_is_a_reason_and_uses_nothing_up(spoil: Spoil, said: str) -> None:
    one = Watcher(Target("v1"), Target("v2")).until(60)
    every = series(one.targets, 91)
    spoiled = [spoil(s) if s.labels["version"] == "v2" else s for s in every]
    more = one.counting.with_more(spoiled, moment(91))
    assert isinstance(more.said, NoReading)
    assert more.said.because.startswith(f"v2: {said}")
    assert more.counting == one.counting


def test_the_same_instance_twice_is_a_reason() -> None:
    one = Watcher(Target("v1"), Target("v2")).until(60)
    every = series(one.targets, 91)
    more = one.counting.with_more(
        [*every, *(s._replace(labels={**s.labels, "job": "twin"}) for s in every)], moment(91)
    )
    assert isinstance(more.said, NoReading)
    assert "duplicate series" in more.said.because


def test_a_new_instance_joins_without_its_past() -> None:
    joins = replace(Target("v2", 6.0), since_s=120.0)
    one = Watcher(Target("v1"), Target("v2"), joins).until(240)
    most = max(reading.requests for reading in one.readings("v2"))
    assert most <= 2 * INTERVAL_S * PER_S + 2
    assert one.readings("v2")[-1].requests == pytest.approx(2 * INTERVAL_S * PER_S, abs=2)
