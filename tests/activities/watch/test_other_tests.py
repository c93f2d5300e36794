"""Tests that need other eyes than the counters: what they say, and what they never hold up."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from activities.targets import InstanceState, Target
from activities.watch.other_tests import OtherTests
from activities.watch.timed import Timed
from activities.watch.under_watch import Told
from activities.watch.watched_journeys import WatchedJourneys
from proof.stand_ins import StandInService
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.alarms import Sighting
from rollback_manager.incidents.triggers import Source, TriggerKind
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell
from rollback_manager.verification import Answer as Said
from rollback_manager.verification import Verdict
from rollback_manager.watch.detected import evidence
from tests.activities.watch.traffic_world import (
    BEGAN,
    AtOnce,
    KeptInMemory,
    Traffic,
    place,
    release,
)

REGRESSED, FINE, CANNOT_TELL = Answer
NOTHING = Told(cannot_tell("none", "nothing", "nothing was counted"))


@dataclass
class Business:
    """A number that a test sets, or the reason why there is none."""

    value: float = 100
    trouble: str = ""

    def read(self) -> Number | NoNumber:
        if self.trouble:
            return NoNumber(name="orders", because=self.trouble)
        return Number(name="orders", value=self.value, unit="per minute", taken_at=BEGAN)


@dataclass
class Data:
    """A data check whose answer a test sets."""

    answer: Said = Said.PASSED

    def run(self) -> Verdict:
        return Verdict(check="data: orders", answer=self.answer, because="orders: 3 rows")


@dataclass
class Journeys:
    """Journeys that fail at some addresses; the front door's is empty."""

    fail_at: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def run(self) -> tuple[Verdict, ...]:
        return self.run_at("")

    def run_at(self, address: str) -> tuple[Verdict, ...]:
        self.asked.append(address)
        answer = Said.FAILED if address in self.fail_at else Said.PASSED
        return (Verdict(check="journey: pay", answer=answer, because=f"at {address}"),)


class Addressed(StandInService):
    """Instances that can be asked past the proxy: `v2-0`, `v2-1` …"""

    def instances(self) -> tuple[InstanceState, ...]:
        return tuple(one.model_copy(update={"address": one.name}) for one in super().instances())


class Watching:
    """The other tests of a service that a test breaks; a second for each look."""

    def __init__(self, placement: dict[str, object] | None = None, **policy: float) -> None:
        self.world = Addressed(shares_now={"v1": 50, "v2": 50}, running={"v1": 4, "v2": 4})
        self.journeys = Journeys()
        self.business, self.data, self.kept = Business(), Data(), KeptInMemory()
        self.down = ""
        self.at = BEGAN
        self.tests = OtherTests(
            place(**(placement or {})),
            DecisionPolicy.model_validate(policy),
            self.target,
            self.kept,
            AtOnce(),
        )

    def target(self, _env: str, _service: str) -> Target:
        if self.down:
            raise Unreachable(self.down)
        return replace(
            self.world.target(),
            business=(self.business,),
            data_checks=(self.data,),
            journeys=self.journeys,
        )

    def pass_s(self, seconds: int, told: Told = NOTHING) -> Told:
        for _ in range(seconds):
            self.at += timedelta(seconds=1)
            seen = self.tests.with_theirs(told, release("v2"), "v1", self.at)
        return seen

    def of(self, test: str, seconds: int) -> Finding:
        return next(one for one in self.pass_s(seconds).tests if one.test == test)

    def of_release(self, out: Release, test: str, seconds: int) -> Finding:
        for _ in range(seconds):
            self.at += timedelta(seconds=1)
            seen = self.tests.with_theirs(NOTHING, out, "v1", self.at)
        return next(one for one in seen.tests if one.test == test)


def test_instances_that_fail_for_three_rounds_are_said_to_be_unhealthy() -> None:
    one = Watching()
    assert one.of("instances", 12).answer is FINE
    one.world.not_ready = {"v2": 2}
    assert one.of("instances", 27).answer is CANNOT_TELL
    found = one.of("instances", 5)
    assert found.answer is REGRESSED
    assert found.effect == 0.5
    assert one.pass_s(1).verdict.test == "instances", "the one answer of all"


def test_the_policy_says_how_often_instances_are_probed() -> None:
    one = Watching(probe_every_s=2)
    one.pass_s(4)
    one.world.not_ready = {"v2": 2}
    assert one.of("instances", 8).answer is REGRESSED


def test_supervision_that_is_away_is_no_health_and_no_illness() -> None:
    one = Watching(probe_every_s=1)
    one.pass_s(5)
    one.down = "supervisord does not answer"
    found = one.of("instances", 20)
    assert found.answer is CANNOT_TELL
    assert "supervisord does not answer" in found.because


def test_what_failed_before_a_gap_is_not_counted_on_after_it() -> None:
    one = Watching(probe_every_s=1)
    one.pass_s(5)
    one.world.not_ready = {"v2": 2}
    one.pass_s(3)
    one.down = "supervisord does not answer"
    one.pass_s(20)
    one.down = ""
    assert one.of("instances", 2).answer is CANNOT_TELL


SILENT = cannot_tell("silence", "the old version's traffic", "99 requests expected", 14.0)
SILENT = SILENT.model_copy(update={"evidence_nats": 99.0})


def test_a_silent_release_with_healthy_instances_is_a_persons_business_in_time() -> None:
    one, told = Watching(cannot_tell_s=30), Told(SILENT, (SILENT,))
    assert one.pass_s(30, told).verdict is SILENT
    said = one.pass_s(2, told)
    assert said.verdict.test == "unknown"
    assert said.verdict.answer is CANNOT_TELL, "silence never rolls back alone"
    assert "99 requests expected" in said.verdict.because
    heard = SILENT.model_copy(update={"evidence_nats": 0.0, "answer": FINE})
    assert one.pass_s(1, Told(heard, (heard,))).tests[-1].answer is FINE


def test_where_its_instances_are_unhealthy_too_those_decide() -> None:
    one, told = Watching(cannot_tell_s=30, probe_every_s=3), Told(SILENT, (SILENT,))
    one.pass_s(5, told)
    one.world.not_ready = {"v2": 4}
    said = one.pass_s(60, told)
    assert (said.verdict.test, said.verdict.answer) == ("instances", REGRESSED)
    assert said.tests[-1].answer is FINE, "what it is, is known"


def test_of_the_next_release_nothing_is_unknown_yet() -> None:
    one, told = Watching(cannot_tell_s=30), Told(SILENT, (SILENT,))
    one.pass_s(40, told)
    seen = one.tests.with_theirs(told, release("v3"), "v1", one.at + timedelta(seconds=1))
    assert seen.tests[-1].evidence_nats == 0


def test_a_release_that_still_comes_up_is_not_unknown() -> None:
    one = Watching(cannot_tell_s=30, probe_every_s=1, start_within_s=300)
    one.world.not_ready = {"v2": 4}
    assert one.pass_s(200).tests[-1].answer is FINE
    assert one.pass_s(150).verdict.test == "instances", "and then it does not come up"


@pytest.mark.parametrize("supervision", ["is away", "is away, and then a pause"])
def test_supervision_that_dies_during_a_start_excuses_the_release_no_longer(
    supervision: str,
) -> None:
    one = Watching(cannot_tell_s=30, probe_every_s=1, start_within_s=3000)
    one.world.not_ready = {"v2": 4}
    assert one.pass_s(60).tests[-1].answer is FINE
    one.down = "supervisord does not answer"
    if "pause" in supervision:
        one.at += timedelta(minutes=10)
    said = one.pass_s(60).verdict
    assert said.test == "unknown"
    assert "supervisord does not answer" in said.because


def test_common_mode_of_the_traffic_is_what_is_said_first() -> None:
    one = Watching(probe_every_s=1)
    one.pass_s(5)
    one.world.not_ready = {"v2": 4}
    held = Told(cannot_tell("common_mode", "the old version", "the old version got worse too"))
    assert one.pass_s(10, held).verdict is held.verdict


def test_a_read_that_hangs_holds_up_no_look_and_is_told() -> None:
    hangs = threading.Event()
    read = Timed(lambda _: hangs.wait(30), every_s=1)
    began = time.monotonic()
    assert read.news(BEGAN) is None
    for second in range(60):
        assert read.news(BEGAN + timedelta(seconds=second)) is None
    assert time.monotonic() - began < 10  # of the 30 that it hangs
    assert read.late(BEGAN + timedelta(seconds=30)) == "no answer for 30 s"
    hangs.set()


def test_an_answer_that_was_asked_for_before_a_pause_is_no_news_after_it() -> None:
    read = Timed(lambda _: "broken", every_s=10, threads=AtOnce())
    read.news(BEGAN)
    after = BEGAN + timedelta(hours=3)
    assert read.news(after) is None
    news = read.news(after + timedelta(seconds=1))
    assert news is not None
    assert news.at == after


def test_a_mistake_of_ours_in_a_read_is_told_as_trouble() -> None:
    read = Timed(lambda _: 1 / 0, every_s=1, threads=AtOnce())
    read.news(BEGAN)
    news = read.news(BEGAN + timedelta(seconds=1))
    assert news is not None
    assert news.trouble == "ZeroDivisionError: division by zero"


ORDERS: dict[str, object] = {
    "business": [
        {
            "kind": "http_json",
            "name": "orders",
            "url": "http://127.0.0.1:1/numbers",
            "pointer": "/orders",
            "unit": "orders per minute",
            "floor": 80,
            "every_s": 5,
        }
    ]
}


def test_three_readings_below_the_declared_floor_are_a_drop_and_two_are_not() -> None:
    one = Watching(ORDERS)
    assert one.of("business_metric", 20).answer is FINE
    one.business.value = 60
    assert one.of("business_metric", 11).answer is CANNOT_TELL
    found = one.of("business_metric", 5)
    assert found.answer is REGRESSED
    assert found.because == "orders (orders per minute): 60, 60, 60 with a usual 80"
    assert found.effect == -0.25


def test_a_number_that_was_as_low_before_the_release_is_not_its_doing() -> None:
    """Not after any number of readings, either, nor after another release was watched."""
    one = Watching(ORDERS)
    one.business.value = 60
    for out, seconds in ((release("v2", 1), 120), (release("v3", 2), 400), (release("v2", 1), 400)):
        found = one.of_release(out, "business_metric", seconds)
        assert found.answer is CANNOT_TELL
        assert "before the release as well" in found.because


def test_a_number_that_cannot_be_read_is_neither_well_nor_a_drop() -> None:
    one = Watching(ORDERS)
    one.pass_s(20)
    one.business.trouble = "unavailable: 503"
    found = one.of("business_metric", 30)
    assert found.answer is CANNOT_TELL
    assert "unavailable: 503" in found.because


def season(one: Watching, name: str, days: int, level: float = 100.0) -> None:
    """A week of readings: so many days, each minute, of the same level with a little scatter."""
    minutes = range(-days * 1440 - 120, 0)
    one.kept.all[name] = {
        BEGAN + timedelta(minutes=minute): level * (1 + 0.02 * (minute * 7919 % 13 - 6) / 6)
        for minute in minutes
    }


def without_floor(every_s: float = 5) -> Watching:
    described = dict(ORDERS["business"][0], floor=None, every_s=every_s)  # type: ignore[index] # a list, as written
    return Watching({"business": [described]})


def test_without_a_floor_former_days_tell_and_too_few_of_them_do_not() -> None:
    for days, answer in ((7, REGRESSED), (3, REGRESSED), (2, CANNOT_TELL)):
        one = without_floor()
        season(one, "business: orders", days)
        one.business.value = 60
        assert one.of("business_metric", 360).answer is answer, days
    assert "too little history" in one.of("business_metric", 1).because


def test_a_number_as_on_former_days_is_fine() -> None:
    one = without_floor()
    season(one, "business: orders", 7)
    found = one.of("business_metric", 360)
    assert found.answer is FINE
    assert "former days" in found.comparator


def test_former_days_that_cannot_be_read_are_asked_for_again() -> None:
    one = without_floor()
    season(one, "business: orders", 7)
    one.kept.away = "the records do not answer"
    one.business.value = 60
    found = one.of("business_metric", 100)
    assert found.answer is CANNOT_TELL
    assert "the records do not answer" in found.because
    one.kept.away = ""
    assert one.of("business_metric", 300).answer is REGRESSED


def test_a_reading_a_minute_is_kept_also_while_nothing_is_watched() -> None:
    one = without_floor(every_s=60)
    for look in range(605):
        one.tests.read_on(BEGAN + timedelta(seconds=7 * look))  # each reading begins late
    kept = list(one.kept.all["business: orders"])
    assert kept == [BEGAN + timedelta(minutes=minute) for minute in range(70)], "none left out"


@pytest.mark.parametrize(("per_s", "answer"), [(200, FINE), (140, FINE), (80, REGRESSED)])
def test_more_than_half_of_the_usual_throughput_lost_is_a_regression(
    per_s: float, answer: Answer
) -> None:
    one, traffic = Watching(), Traffic({"v1": 50, "v2": 50})
    season(one, "throughput", 7, level=60 * 200)
    tests = OtherTests(
        place(), DecisionPolicy(), lambda _e, _s: traffic.target(), one.kept, AtOnce()
    )
    for _ in range(400):
        traffic.pass_s(1)
        seen = tests.with_theirs(NOTHING, release("v2"), "v1", traffic.at)
        traffic.per_s = per_s
    found = next(one for one in seen.tests if one.test == "throughput")
    assert found.answer is answer


def test_whole_service_numbers_say_nothing_of_a_silent_release() -> None:
    one = Watching(ORDERS, cannot_tell_s=30)
    one.down = "supervisord does not answer"
    one.pass_s(10)
    assert one.pass_s(40).verdict.test == "unknown"


CHECKS: dict[str, object] = {
    "data_checks": [{"name": "orders", "database": "env:SHOP", "sql": "SELECT 1", "every_s": 5}]
}


def test_one_failed_data_check_is_data_corruption() -> None:
    one = Watching(CHECKS)
    assert one.of("data_checks", 10).answer is FINE
    one.data.answer = Said.FAILED
    found = one.of("data_checks", 10)
    assert found.answer is REGRESSED
    said = evidence(found, Sighting(), None, one.at)
    assert said is not None
    assert (said.trigger, said.source) == (TriggerKind.DATA_CORRUPTION, Source.DATA_CHECK)


def test_a_database_that_does_not_answer_is_neither_well_nor_broken() -> None:
    one = Watching(CHECKS)
    one.data.answer = Said.ERROR
    assert one.of("data_checks", 10).answer is CANNOT_TELL


def test_what_a_test_cannot_tell_is_said_beside_the_good_news() -> None:
    """A check that nobody hears of is one that nobody has."""
    one = Watching(CHECKS)
    one.data.answer = Said.ERROR
    well = NOTHING.verdict.model_copy(update={"answer": FINE})
    told = one.pass_s(40, Told(well))
    assert told.verdict == well
    assert "data_checks cannot tell" in told.advice
    assert "throughput" not in told.advice, "former days come by themselves"


def test_data_that_were_broken_before_the_release_are_not_its_doing() -> None:
    """Not after any number of runs, either."""
    one = Watching(CHECKS)
    one.data.answer = Said.FAILED
    for seconds in (90, 300):
        found = one.of_release(release("v2", 1), "data_checks", seconds)
        assert found.answer is CANNOT_TELL
        assert "it failed before the release as well" in found.because


def test_data_that_break_after_many_runs_of_a_release_are_its_doing() -> None:
    one = Watching(CHECKS)
    assert one.of_release(release("v2", 1), "data_checks", 300).answer is FINE
    one.data.answer = Said.ERROR
    one.of_release(release("v2", 1), "data_checks", 20)
    one.data.answer = Said.FAILED
    assert one.of_release(release("v2", 1), "data_checks", 300).answer is REGRESSED


def test_a_check_that_has_never_passed_blames_nobody() -> None:
    one = Watching(CHECKS)
    one.data.answer = Said.FAILED
    found = one.of("data_checks", 60)
    assert found.answer is CANNOT_TELL
    assert "how it was before the release is unknown" in found.because
    assert "how it was before the release is unknown" in one.pass_s(1).advice
    one.data.answer = Said.PASSED
    assert one.of("data_checks", 10).answer is FINE
    one.data.answer = Said.FAILED
    assert one.of("data_checks", 10).answer is REGRESSED, "now it is known"


def test_data_are_checked_also_while_nothing_is_watched() -> None:
    """So that a release that breaks them at once is known by its first run."""
    one = Watching(CHECKS)
    for _ in range(60):
        one.at += timedelta(seconds=1)
        one.tests.read_on(one.at)
    one.data.answer = Said.FAILED
    assert one.of_release(release("v2", 1), "data_checks", 12).answer is REGRESSED


PAY: dict[str, object] = {"journeys": [{"name": "pay", "get": "http://shop/pay"}]}
EVERY_NEW = {f"v2-{number}" for number in range(4)}
EVERY_OLD = {f"v1-{number}" for number in range(4)}


def test_a_journey_that_fails_at_the_new_version_alone_is_a_broken_feature() -> None:
    one = Watching(PAY, journeys_every_s=5)
    assert one.of("journeys", 8).answer is FINE
    one.journeys.fail_at = EVERY_NEW
    assert one.of("journeys", 12).answer is CANNOT_TELL
    found = one.of("journeys", 6)
    assert found.answer is REGRESSED
    assert "the old version passes" in found.because
    said = evidence(found, Sighting(), None, one.at)
    assert said is not None
    assert (said.trigger, said.source) == (TriggerKind.FEATURE_REGRESSION, Source.JOURNEY)
    assert "" not in one.journeys.asked, "beside the old version the front door tells nothing"


def test_a_journey_that_fails_at_both_versions_blames_nobody() -> None:
    one = Watching(PAY, journeys_every_s=5)
    one.journeys.fail_at = EVERY_NEW | EVERY_OLD
    found = one.of("journeys", 60)
    assert found.answer is CANNOT_TELL
    assert "at the old version it is failed: hold" in found.because


def test_one_broken_instance_is_not_a_broken_feature() -> None:
    one = Watching(PAY, journeys_every_s=5)
    one.journeys.fail_at = {"v2-1"}
    assert all(one.of("journeys", 1).answer is not REGRESSED for _ in range(80))


def test_a_control_that_comes_or_goes_begins_the_journeys_anew() -> None:
    one = Watching(PAY, journeys_every_s=5)
    one.journeys.fail_at = EVERY_NEW
    one.pass_s(40)
    for _ in range(12):
        one.at += timedelta(seconds=1)
        seen = one.tests.with_theirs(NOTHING, release("v2"), "", one.at)
    found = next(one for one in seen.tests if one.test == "journeys")
    assert found.answer is CANNOT_TELL, "the front door passes: past it something is missing"
    assert "at the front door it is passed: hold" in found.because


class ByHand(AtOnce):
    """Reads that come back when the test lets them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future


def test_a_round_of_slow_journeys_is_late_only_beyond_what_the_catalogue_allows_them() -> None:
    """Ten of them, of 5 s each: at both versions one after the other 200 s at the longest."""
    slow = {"get": "http://shop/pay", "within_ms": 5000}
    described = [{**slow, "name": "pay"}, *({**slow, "name": f"pay {no}"} for no in range(9))]
    asked, threads = Watching(), ByHand()
    journeys = WatchedJourneys(
        place(journeys=described).placement.journeys, lambda: asked.target("", ""), 30, threads
    )

    def said(second: int) -> str:
        return journeys.finding("v2", "v1", BEGAN + timedelta(seconds=second)).because

    said(0)
    assert said(230) == "not asked yet"
    assert "no answer for 250 s" in said(250)
    threads.waiting.pop()()
    assert "no answer" not in said(251), "what came late stands"


def test_what_was_broken_before_a_pause_says_nothing_after_it() -> None:
    """A release that lost its traffic, and has it again: it may have been repaired since."""
    one = Watching({**ORDERS, **CHECKS, **PAY}, journeys_every_s=5)
    one.pass_s(60)
    one.world.not_ready, one.journeys.fail_at = {"v2": 2}, EVERY_NEW
    one.data.answer, one.business.value = Said.FAILED, 60
    broken = {"instances", "journeys", "data_checks", "business_metric"}
    assert regressed(one.pass_s(60)) == broken
    one.at += timedelta(hours=3)
    one.world.not_ready, one.journeys.fail_at = {}, set()
    one.data.answer, one.business.value = Said.PASSED, 100
    for _ in range(60):
        assert not regressed(one.pass_s(1)), one.at


def test_what_failed_before_a_pause_did_not_fail_in_a_row_with_what_fails_after_it() -> None:
    one = Watching({**ORDERS, **PAY}, journeys_every_s=5)
    one.pass_s(60)
    one.world.not_ready, one.journeys.fail_at, one.business.value = {"v2": 2}, EVERY_NEW, 60
    one.pass_s(60)
    one.at += timedelta(hours=3)
    assert not regressed(one.pass_s(10))
    assert regressed(one.pass_s(60)) == {"instances", "journeys", "business_metric"}


def regressed(told: Told) -> set[str]:
    return {one.test for one in told.tests if one.answer is REGRESSED}
