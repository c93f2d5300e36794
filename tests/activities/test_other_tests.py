"""Tests that need other eyes than the counters: what they say, and what they never hold up."""

import threading
import time
from datetime import timedelta

from activities.other_tests import OtherTests
from activities.targets import Target
from activities.timed import Timed
from activities.under_watch import Told
from proof.stand_ins import StandInService
from rollback_manager.errors import Unreachable
from rollback_manager.policy import DecisionPolicy
from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell
from tests.activities.traffic_world import BEGAN, AtOnce, release

REGRESSED, FINE, CANNOT_TELL = Answer
NOTHING = Told(cannot_tell("none", "nothing", "nothing was counted"))


class Watching:
    """The other tests of a service whose instances a test breaks; a second for each look."""

    def __init__(self, **policy: float) -> None:
        self.world = StandInService(shares_now={"v1": 50, "v2": 50}, running={"v1": 4, "v2": 4})
        self.down = ""
        self.at = BEGAN
        self.tests = OtherTests(
            "test", "shop", DecisionPolicy.model_validate(policy), self.target, AtOnce()
        )

    def target(self, _env: str, _service: str) -> Target:
        if self.down:
            raise Unreachable(self.down)
        return self.world.target()

    def pass_s(self, seconds: int, told: Told = NOTHING) -> Told:
        for _ in range(seconds):
            self.at += timedelta(seconds=1)
            seen = self.tests.with_theirs(told, release("v2"), "v1", self.at)
        return seen

    def of(self, test: str, seconds: int) -> Finding:
        return next(one for one in self.pass_s(seconds).tests if one.test == test)


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


def test_common_mode_of_the_traffic_is_what_is_said_first() -> None:
    one = Watching(probe_every_s=1)
    one.pass_s(5)
    one.world.not_ready = {"v2": 4}
    held = Told(cannot_tell("common_mode", "the old version", "the old version got worse too"))
    assert one.pass_s(10, held).verdict is held.verdict


def test_a_read_that_hangs_holds_up_no_look_and_is_told() -> None:
    hangs = threading.Event()
    read = Timed(lambda: hangs.wait(30), every_s=1)
    began = time.monotonic()
    assert read.news(BEGAN) is None
    for second in range(60):
        assert read.news(BEGAN + timedelta(seconds=second)) is None
    assert time.monotonic() - began < 1
    assert read.late(BEGAN + timedelta(seconds=30)) == "no answer for 30 s"
    hangs.set()


def test_a_mistake_of_ours_in_a_read_is_told_as_trouble() -> None:
    read = Timed(lambda: 1 / 0, every_s=1, threads=AtOnce())
    read.news(BEGAN)
    news = read.news(BEGAN + timedelta(seconds=1))
    assert news is not None
    assert news.trouble == "ZeroDivisionError: division by zero"
