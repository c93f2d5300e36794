"""What one service's watch says to incidents, and when."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from activities.integrations.sql import SqlRecords
from activities.targets import Target
from activities.watch import alarms_given, service_watch, young_releases
from activities.watch.other_tests import OtherTests
from activities.watch.service_watch import ServiceWatch, judge_together
from activities.watch.under_watch import Due
from activities.watch.warm_ups import Histories, Warming
from activities.watch.young_releases import YoungReleases
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.triggers import Finding, TriggerKind
from rollback_manager.metrics.reading import NoReading
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release, Standing
from rollback_manager.statistics.evidence import Arm, Interval
from rollback_manager.watch.warm_up import BINS, Compared, WarmedUp
from tests.activities.watch.traffic_world import (
    BEGAN,
    AtOnce,
    KeptInMemory,
    Remembered,
    Traffic,
    baseline,
    place,
    release,
)

WEEK_S = 604_800.0


class Known(SqlRecords):
    """The releases of a test; the rest of the records is not asked."""

    def __init__(self, *releases: Release) -> None:
        self.all = list(releases)
        self.away = False
        self.warm: list[WarmedUp] = []

    def young(self, env: str, since: datetime) -> dict[str, list[Release]]:
        if self.away:
            raise Unreachable("the records do not answer")
        return {"shop": self.all}

    def good_warm_ups(self, env: str) -> list[WarmedUp]:
        return self.warm

    def save_warm_up(self, env: str, seen: WarmedUp) -> None:
        self.warm.append(seen)


class Watching:
    """A service's watch on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *releases: Release) -> None:
        self.traffic = Traffic({"v1": 50, "v2": 50})
        self.records = Known(*releases)
        self.incidents = Remembered()
        for module in (service_watch, young_releases, alarms_given):
            monkeypatch.setattr(module, "now", lambda: self.traffic.at)
        for module in (young_releases, alarms_given):
            monkeypatch.setattr(module, "monotonic", self._monotonic)
        self.young = YoungReleases(self.records, "test", WEEK_S)
        self.kept = KeptInMemory()
        self.watch = ServiceWatch(
            "test",
            "shop",
            WEEK_S,
            self.young,
            Histories(self.records, "test"),
            self._target,
            self.incidents,
            OtherTests(place(), DecisionPolicy(), self._target, self.kept, AtOnce()),
        )

    def _target(self, _env: str, _service: str) -> Target:
        return self.traffic.target()

    def _monotonic(self) -> float:
        return (self.traffic.at - BEGAN).total_seconds()

    def pass_s(self, seconds: int) -> None:
        for _ in range(seconds):
            self.traffic.pass_s(1)
            self.young.read()
            self.watch.look()
            judge_together([self.watch])
            self.watch.speak()

    def breaks(self, *versions: str) -> None:
        self.traffic.errors = dict.fromkeys(versions, 0.3)


Make = Callable[..., Watching]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda *releases: Watching(monkeypatch, *releases)


V1, V2 = release("v1", -600, Standing.VERIFIED, baseline()), release("v2")


def test_a_regression_is_said_at_once_and_then_ever_more_seldom(make: Make) -> None:
    one = make(V2, V1)
    one.breaks("v2")
    one.pass_s(600)
    errors = [a for a in one.incidents.alarms if a.evidence.finding is Finding.REGRESSED]
    assert (errors[0].evidence.fired_at - BEGAN).total_seconds() < 10
    assert max(len(one.model_dump_json()) for one in one.incidents.alarms) < 8_000
    gaps = [
        (b.evidence.fired_at - a.evidence.fired_at).total_seconds() for a, b in pairwise(errors)
    ]
    assert gaps == [15, 30, 60, 120, 240]


def test_an_alarm_that_was_not_taken_is_given_again_by_the_next_look(make: Make) -> None:
    one = make(V2, V1)
    one.incidents.fails = 1
    one.breaks("v2")
    one.pass_s(12)
    assert len(one.incidents.alarms) == 1


def test_an_end_is_told_of_the_trigger_that_fired_and_once(make: Make) -> None:
    """The one answer of all tests may be that of another test by then."""
    one = make(V2, V1)
    one.breaks("v2")
    one.pass_s(30)
    one.breaks()
    one.pass_s(200)
    assert [a.evidence.trigger for a in one.incidents.well] == [TriggerKind.CRITICAL_ERROR_RATE]
    assert one.incidents.well[0].evidence.finding is not Finding.REGRESSED


def test_a_release_that_replaces_a_bad_one_is_not_said_to_have_recovered(make: Make) -> None:
    one = make(V2, V1)
    one.breaks("v2")
    one.pass_s(20)
    said = len(one.incidents.alarms)
    one.records.all = [release("v3", 0.4), V2, V1]
    one.traffic.shares_now = {"v1": 50, "v3": 50}
    one.pass_s(60)
    assert one.watch.watched is not None
    assert one.watch.watched.version == "v3"
    assert len(one.incidents.alarms) == said
    assert not one.incidents.well


def test_while_the_records_are_away_what_they_said_is_watched_on(make: Make) -> None:
    one = make(V2, V1)
    one.pass_s(10)
    one.records.away = True
    one.breaks("v2")
    one.pass_s(40)
    assert one.incidents.alarms
    assert one.watch.trouble == "the records do not answer"
    one.records.away = False
    one.pass_s(6)
    assert not one.watch.trouble


def test_a_proxy_that_was_away_for_a_minute_is_no_regression(make: Make) -> None:
    one = make(V2, V1)
    one.pass_s(100)
    one.traffic.down = "Envoy does not answer"
    one.pass_s(60)
    assert one.watch.trouble == "Envoy does not answer"
    assert one.watch.watched is not None, "it is still the release to be watched"
    one.traffic.down = ""
    one.traffic.restart()
    one.pass_s(60)
    assert not one.incidents.alarms
    one.breaks("v2")
    one.pass_s(30)
    assert one.incidents.alarms


def test_a_release_recorded_long_before_its_first_user_may_warm_up(make: Make) -> None:
    one = make(V2, V1)
    one.traffic.shares_now = {"v1": 100}
    one.pass_s(300)
    one.traffic.shares_now = {"v1": 50, "v2": 50}
    for second in range(90):
        one.traffic.errors["v2"] = 0.01 + 0.1 * 0.9**second
        one.pass_s(1)
    assert one.watch.watched is not None
    assert one.watch.watched.version == "v2"
    assert not one.incidents.alarms


def test_a_service_without_a_young_release_is_not_even_looked_at(make: Make) -> None:
    one = make(release("v2", -60 * 24 * 8), release("v3", -1, Standing.BAD))
    one.pass_s(10)
    assert one.traffic.looks == 0
    assert one.watch.watched is None


def test_a_mistake_of_ours_is_told_and_is_no_end(make: Make) -> None:
    one = make(V2, V1)
    one.breaks("v2")

    def broken() -> None:
        raise ZeroDivisionError("of ours")

    one.incidents.before = broken
    one.pass_s(10)
    assert one.watch.trouble == "ZeroDivisionError: of ours"
    one.incidents.before = lambda: None
    one.pass_s(2)
    assert one.incidents.alarms


def test_all_users_on_a_bad_release_alone_is_seen_by_fixed_limits(make: Make) -> None:
    one = make(V2, V1)
    one.traffic.shares_now = {"v2": 100}
    one.breaks("v2")
    one.pass_s(200)
    assert one.incidents.alarms[0].evidence.trigger is TriggerKind.CRITICAL_ERROR_RATE
    assert one.incidents.alarms[0].evidence.nats == 0, "a count of minutes is no evidence in nats"
    assert one.incidents.alarms[0].evidence.size == pytest.approx(0.3, abs=0.01)
    assert one.incidents.alarms[0].seen.onset_at == BEGAN + timedelta(seconds=1)


def warms_up(one: Watching, first: float, seconds: int = 200) -> None:
    """The release meets its first users now, and fails more of them until it is warm."""
    one.traffic.shares_now = {"v1": 100}
    one.pass_s(5)
    one.traffic.shares_now = {"v1": 50, "v2": 50}
    for second in range(seconds):
        one.traffic.errors["v2"] = 0.01 + first * 0.97**second
        one.pass_s(1)


def test_how_a_good_release_warmed_up_is_kept_once(make: Make) -> None:
    one = make(V2, V1)
    warms_up(one, first=0.05)
    (kept,) = one.records.warm
    assert (kept.service, kept.version) == ("shop", "v2")
    assert kept.errors.tries[0] == pytest.approx(500, abs=110)
    share = [hits / tries for hits, tries in zip(kept.errors.hits, kept.errors.tries, strict=True)]
    assert share[0] == pytest.approx(0.056, abs=0.01)
    assert share[-1] == pytest.approx(0.01, abs=0.005)


def test_what_a_bad_release_did_is_no_lesson(make: Make) -> None:
    one = make(V2, V1)
    warms_up(one, first=0.9)
    assert one.incidents.alarms
    assert not one.records.warm


def test_a_release_that_was_not_seen_from_its_first_user_on_is_no_lesson(make: Make) -> None:
    one = make(release("v2", -1), V1)
    one.pass_s(300)
    assert not one.records.warm


def slow_starters(releases: int) -> list[WarmedUp]:
    """Each failed a third of its requests for half a minute: so do all of this fleet."""
    tries, none = (1000.0,) * BINS, (0.0,) * BINS
    early = tuple(330.0 if place < 5 else 10.0 for place in range(BINS))
    failed = Compared(hits=early, tries=tries, control_hits=(10.0,) * BINS, control_tries=tries)
    slow = Compared(hits=none, tries=none, control_hits=none, control_tries=none)
    return [
        WarmedUp(service=f"s{number}", version="v1", errors=failed, slow=slow)
        for number in range(releases)
    ]


@pytest.mark.parametrize(("releases", "blamed"), [(100, False), (99, True)])
def test_a_fleet_that_warms_up_slowly_is_learnt_from_once_it_is_large_enough(
    make: Make, releases: int, blamed: bool
) -> None:
    one = make(V2, V1)
    one.records.warm = slow_starters(releases)
    warms_up(one, first=0.33, seconds=30)
    assert bool(one.incidents.alarms) is blamed


def test_records_without_warm_ups_cost_only_what_was_learnt(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(V2, V1)

    def away(*_: object) -> None:
        raise Unreachable("the records do not answer")

    monkeypatch.setattr(one.records, "good_warm_ups", away)
    monkeypatch.setattr(one.records, "save_warm_up", away)
    warms_up(one, first=0.05)
    assert not one.incidents.alarms
    assert not one.watch.trouble


def test_unhealthy_instances_open_an_incident_of_their_own_trigger(make: Make) -> None:
    """Users notice nothing yet: the proxy asks the healthy ones."""
    one = make(V2, V1)
    one.pass_s(12)
    one.traffic.workloads.not_ready = {"v2": 2}
    one.pass_s(40)
    assert len({a.evidence.trigger for a in one.incidents.alarms}) == 1
    alarm = one.incidents.alarms[0]
    assert alarm.evidence.trigger is TriggerKind.HEALTH_CHECK_FAILURE
    assert alarm.evidence.size == 0.5
    assert alarm.seen.worse_than_old, "those of v1 were well at the same time"
    assert alarm.seen.onset_at == BEGAN + timedelta(seconds=23), "the first failed round, a look on"


class Uncounted:
    """A Prometheus that has never heard of the new version."""

    unseen_s = 30.0

    def snapshot(self, version: str, others: Iterable[str] = ()) -> NoReading:
        return NoReading(version=version, because=f"no series of {version}")


def test_a_dead_version_that_nobody_counts_is_told_by_its_instances(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make(V2, V1)
    counted = replace(one.traffic.target(), counters=Uncounted())
    monkeypatch.setattr(one.traffic, "target", lambda: counted)
    one.pass_s(12)
    one.traffic.workloads.not_ready = {"v2": 4}
    one.pass_s(60)
    assert one.incidents.alarms[0].evidence.trigger is TriggerKind.HEALTH_CHECK_FAILURE
    assert one.watch.trouble == "cannot tell: no series of v2"


def test_counters_that_are_scraped_seldom_teach_nothing_of_a_warm_up() -> None:
    """An interval of several bins does not say when in it the errors were."""
    for length_s, learns in ((1.0, True), (5.0, True), (15.0, False)):
        warming, at_s, ended = Warming(), 0.0, False
        while not ended and at_s < 300:
            at_s += length_s
            ended = warming.add(Interval.of(at_s, length_s, Arm.of(100, 1), Arm.of(100, 1)))
        assert ended is learns


def test_a_silent_release_with_healthy_instances_becomes_a_persons_business(make: Make) -> None:
    one = make(V2, V1)
    one.pass_s(30)
    one.traffic.silent = {"v2"}
    one.pass_s(110)
    assert not one.incidents.alarms, "the policy gives it two minutes"
    one.pass_s(20)
    (alarm,) = one.incidents.alarms
    assert alarm.evidence.finding is Finding.CANNOT_TELL
    assert alarm.evidence.size is None
    assert "it answers nothing" in alarm.evidence.words
    one.traffic.silent = set()
    one.pass_s(20)
    (well,) = one.incidents.well
    assert well.evidence.finding is Finding.FINE


def test_a_silent_release_whose_instances_are_unhealthy_is_told_by_those(make: Make) -> None:
    one = make(V2, V1)
    one.pass_s(30)
    one.traffic.silent, one.traffic.workloads.not_ready = {"v2"}, {"v2": 4}
    one.pass_s(200)
    told = {(a.evidence.trigger, a.evidence.finding) for a in one.incidents.alarms}
    assert told == {(TriggerKind.HEALTH_CHECK_FAILURE, Finding.REGRESSED)}


def test_what_is_usual_is_learnt_while_nothing_is_watched(make: Make) -> None:
    one = make()
    one.traffic.shares_now = {"v1": 100}
    one.pass_s(600)
    assert one.watch.watched is None
    assert set(one.kept.all["throughput"].values()) == {60 * one.traffic.per_s}


def test_probes_that_fail_to_be_made_take_nothing_back(make: Make) -> None:
    one = make(V2, V1)
    one.pass_s(12)
    one.traffic.workloads.not_ready = {"v2": 2}
    one.pass_s(40)
    assert one.incidents.alarms

    def away() -> None:
        raise Unreachable("supervisord does not answer")

    one.traffic.workloads.instances = away  # type: ignore[method-assign, assignment]
    one.pass_s(60)
    assert not one.incidents.well


def test_an_alarm_of_the_same_release_is_remembered_over_a_gap(make: Make) -> None:
    one = make(V2, V1)
    one.breaks("v2")
    one.pass_s(30)
    assert one.incidents.alarms
    one.traffic.down = "Envoy does not answer"
    one.pass_s(60)
    one.traffic.down = ""
    one.breaks()
    one.pass_s(200)
    assert one.incidents.well, "its end is told, though the tests began anew"


def test_a_mistake_with_one_service_leaves_the_others_judged(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = make(V2, V1), make(V2, V1)
    for one in (broken, well):
        one.pass_s(5)
        one.traffic.pass_s(1)
        one.young.read()
        one.watch.look()
    assert broken.watch.due is not None
    monkeypatch.setattr(broken.watch, "due", replace_interval(broken.watch.due))
    judge_together([broken.watch, well.watch])
    assert well.watch.due is None
    assert well.watch.watched is not None
    assert "cannot tell" in well.watch.watched.says or "fine" in well.watch.watched.says
    assert broken.watch.due is None, "it is looked at anew"
    assert broken.watch.trouble.startswith("TypeError"), "people are told that it is not watched"
    assert not well.watch.trouble


@pytest.mark.parametrize("reads", [True, False], ids=["a mistake of ours", "no answer yet"])
def test_releases_that_cannot_be_read_are_told_and_never_taken_for_none(
    make: Make, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    one = make(V2, V1)

    def young(_env: str, _since: object) -> None:
        raise ValueError("a release that an unknown build wrote")

    monkeypatch.setattr(one.records, "young", young)
    if reads:
        one.young.read()
    one.watch.look()
    wanted = "ValueError: a release that an unknown build wrote" if reads else "have not said"
    assert wanted in one.watch.trouble


def replace_interval(due: Due) -> Due:
    return due._replace(interval=None)  # type: ignore[arg-type] # a mistake of ours


def test_counters_that_went_away_hold_nothing_back(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both versions were in trouble when they were counted last; what is probed now is of now."""
    one = make(V2, V1)
    one.pass_s(60)
    one.traffic.errors = {"v1": 0.3, "v2": 0.3}
    one.pass_s(5)
    assert one.watch.watched is not None
    assert "old version got worse too" in one.watch.watched.says
    counted = replace(one.traffic.target(), counters=Uncounted())
    monkeypatch.setattr(one.traffic, "target", lambda: counted)
    one.traffic.workloads.not_ready = {"v2": 2}
    one.pass_s(60)
    alarm = one.incidents.alarms[-1]
    assert alarm.evidence.trigger is TriggerKind.HEALTH_CHECK_FAILURE
    assert not alarm.seen.common_mode
