"""Looks become findings: what is seen, how soon, and what goes with it."""

from datetime import timedelta

import pytest

from activities.watch.under_watch import Due, Told, TrafficLook, UnderWatch
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.release_watch import History
from rollback_manager.watch.argo_judge import ArgoJudge, ArgoMetric
from rollback_manager.watch.detected import ERRORS, SLOWNESS
from rollback_manager.watch.judges import trigger_of
from rollback_manager.watch.signals import Role, Signal
from tests.activities.watch.traffic_world import BEGAN, Traffic, baseline, release

HALF = {"v1": 50, "v2": 50}


def begun(traffic: Traffic, since_s: float = 0) -> UnderWatch:
    traffic.pass_s(1)
    since = BEGAN - timedelta(seconds=since_s)
    return UnderWatch(release("v2"), baseline(), History(0.01), since, traffic.look())


def watch(one: UnderWatch, traffic: Traffic, seconds: int) -> Told:
    """A look each second; the last answer."""
    assert seconds
    for _ in range(seconds):
        traffic.pass_s(1)
        told = _told(one, traffic.look())
    return told


def _told(one: UnderWatch, look: TrafficLook) -> Told:
    match one.take(look):
        case Due(watch, interval):
            return one.settled(watch.with_more(interval), 0)
        case told:
            return told


def until_regressed(one: UnderWatch, traffic: Traffic, at_most_s: int) -> tuple[int, Finding]:
    for second in range(1, at_most_s + 1):
        told = watch(one, traffic, 1)
        if told.verdict.answer is Answer.REGRESSED:
            return second, told.verdict
    pytest.fail(f"nothing was seen in {at_most_s} s: {told.verdict}")


def test_a_healthy_release_is_never_blamed() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    for _ in range(300):
        assert watch(one, traffic, 1).verdict.answer is not Answer.REGRESSED


def test_a_release_that_warms_up_is_not_blamed() -> None:
    """12 % errors in its first seconds, and none later: that is what starting looks like."""
    traffic = Traffic(HALF)
    one = begun(traffic)
    for second in range(60):
        traffic.errors["v2"] = 0.01 + 0.1 * 0.9**second
        assert watch(one, traffic, 1).verdict.answer is not Answer.REGRESSED


def test_the_size_of_a_late_regression_is_that_since_it_began() -> None:
    """Over the whole last minute it would be a quarter of that, and below the trigger's limit."""
    traffic = Traffic(HALF)
    one = begun(traffic)
    watch(one, traffic, 150)
    traffic.errors["v2"] = 0.16
    began = traffic.at
    _, finding = until_regressed(one, traffic, 40)
    assert finding.usual is not None
    assert finding.effect is not None
    assert finding.usual + finding.effect == pytest.approx(0.16, abs=0.02)
    seen = one.seen(finding)
    assert seen.new is not None
    assert seen.new.error_ratio > 0.13
    assert seen.onset_at is not None
    assert abs(seen.onset_at - began) <= timedelta(seconds=3)
    assert seen.worse_than_old


def test_a_restart_of_the_proxy_is_no_regression_and_blinds_for_one_look_only() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    watch(one, traffic, 100)
    traffic.restart()
    told = watch(one, traffic, 1)
    assert told.verdict.answer is Answer.CANNOT_TELL
    assert not told.tests
    traffic.errors["v2"] = 0.3
    _, finding = until_regressed(one, traffic, 30)
    seen = one.seen(finding)
    assert seen.new is not None, "no window reaches over the restart"
    assert seen.old is not None


def test_trouble_of_both_versions_speaks_against_neither() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    watch(one, traffic, 60)
    traffic.errors = {"v1": 0.3, "v2": 0.3}
    told = watch(one, traffic, 10)
    assert told.verdict.test == "common_mode"
    assert all(finding.answer is not Answer.REGRESSED for finding in told.tests)
    assert one.seen(told.tests[0]).common_mode
    assert not one.seen(told.tests[0]).worse_than_old


def test_a_changed_split_is_the_same_watch() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    watch(one, traffic, 10)
    traffic.shares_now = {"v1": 95, "v2": 5}
    assert one.fits(release("v2"), traffic.look())
    told = watch(one, traffic, 10)
    assert one.seen(told.verdict).traffic_share == 0.05


def test_after_a_long_gap_it_begins_anew() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    traffic.pass_s(31)
    assert not one.fits(release("v2"), traffic.look())


def test_alone_it_is_held_to_fixed_limits_of_errors() -> None:
    traffic = Traffic({"v2": 100}, errors={"v2": 0.2})
    one = begun(traffic)
    seconds, finding = until_regressed(one, traffic, 300)
    assert seconds <= 181
    assert finding.test == ERRORS
    assert not one.seen(finding).worse_than_old, "there was nothing beside it"


def test_alone_and_slow_it_is_the_latency_that_is_blamed() -> None:
    traffic = Traffic({"v2": 100}, slow={"v2": 0.4})
    one = begun(traffic)
    _, finding = until_regressed(one, traffic, 300)
    assert finding.test == SLOWNESS


def test_slowness_is_seen_though_nothing_was_timed_when_it_began() -> None:
    traffic = Traffic(HALF)
    traffic.counted = {"v1": [0, 0, 0], "v2": [0, 0, 0]}
    one = UnderWatch(release("v2"), baseline(), History(0.01), BEGAN, traffic.look())
    watch(one, traffic, 60)
    traffic.slow["v2"] = 0.6
    _, finding = until_regressed(one, traffic, 60)
    assert finding.test == "latency_p95"


def test_a_regression_brings_the_evidence_that_rose_to_its_threshold() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    watch(one, traffic, 15)
    traffic.errors["v2"] = 0.11
    seconds, finding = until_regressed(one, traffic, 60)
    made = one.seen(finding).trace
    evidence = [point.evidence for point in made.points]
    assert (made.new, made.old, made.until) == ("v2", "v1", traffic.at)
    assert len(evidence) == 15 + seconds, "a point for every look"
    assert evidence == sorted(evidence)
    assert evidence[-2] < 1 <= evidence[-1]
    assert made.points[-1].new == (11, 100)
    assert made.points[0].new == made.points[-1].old == (1, 100)


def test_evidence_that_has_to_stand_is_seen_while_it_does() -> None:
    """The test itself says nothing until then: without this the picture would be a cliff."""
    traffic = Traffic(HALF)
    one = begun(traffic)
    watch(one, traffic, 400)
    traffic.errors["v2"] = 0.16
    _, finding = until_regressed(one, traffic, 40)
    made = one.seen(finding).trace
    assert made.reached is not None
    assert 10 <= made.reached.ago_s <= 13
    assert 250 < made.points[0].ago_s <= 300


def test_alone_the_evidence_is_so_many_bad_minutes() -> None:
    traffic = Traffic({"v2": 100}, errors={"v2": 0.2})
    one = begun(traffic)
    _, finding = until_regressed(one, traffic, 300)
    made = one.seen(finding).trace
    assert (made.old, made.evidence, made.threshold, made.unit) == ("", 3, 3, "bad minutes")
    assert {round(point.evidence, 1) for point in made.points} == {0.0, 0.3, 0.7, 1.0}


def test_without_a_regression_there_is_no_trace() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    told = watch(one, traffic, 30)
    assert not one.seen(told.tests[0]).trace.points


def ninety_five(role: Role) -> ArgoJudge:
    """The documentation's example: 95 % of the answers are well, and no minute may fail."""
    metric = ArgoMetric(name="success", signal=Signal.SUCCESS_RATIO, success="result >= 0.95")
    return ArgoJudge(kind="argo", name="theirs", role=role, metrics=(metric,))


@pytest.mark.parametrize("role", list(Role))
def test_a_judge_that_was_brought_along_advises_or_alarms(role: Role) -> None:
    """7 % of a few requests prove nothing to our own tests after a minute; it does not ask that."""
    traffic = Traffic(HALF, per_s=4, errors={"v2": 0.07})
    traffic.pass_s(1)
    begun_at = traffic.look()
    judges = (ninety_five(role),)
    one = UnderWatch(release("v2"), baseline(), History(0.01), BEGAN, begun_at, judges)
    told = watch(one, traffic, 65)
    blamed = [finding for finding in told.tests if finding.answer is Answer.REGRESSED]
    if role is Role.ALARMS:
        assert [trigger_of(finding.test) for finding in blamed] == [TriggerKind.CRITICAL_ERROR_RATE]
        assert told.verdict == blamed[0]
        assert not told.advice
    else:
        assert not blamed
        assert "theirs" in told.advice


def test_trouble_of_both_versions_is_no_alarm_of_a_judge_either() -> None:
    traffic = Traffic(HALF, per_s=200)
    traffic.pass_s(1)
    judges = (ninety_five(Role.ALARMS),)
    one = UnderWatch(release("v2"), baseline(), History(0.01), BEGAN, traffic.look(), judges)
    watch(one, traffic, 110)
    traffic.errors = {"v1": 0.3, "v2": 0.3}
    told = watch(one, traffic, 12)
    assert told.verdict.test == "common_mode"
    assert all(finding.answer is not Answer.REGRESSED for finding in told.tests)


def test_while_its_counters_are_no_newer_it_says_the_same() -> None:
    traffic = Traffic(HALF)
    one = begun(traffic)
    told = watch(one, traffic, 30)
    for _ in range(5):
        assert one.take(traffic.look()) is told


@pytest.mark.parametrize("every_s", [15, 60])
def test_counters_that_are_scraped_seldom_show_a_regression_and_its_size(every_s: int) -> None:
    """A look each second, of counters that are newer only every so often."""
    traffic = Traffic(HALF)
    one = begun(traffic)
    last = traffic.look()
    for second in range(1, 600):
        traffic.pass_s(1)
        if second == 300:
            traffic.errors["v2"] = 0.3
        if second % every_s == 0:
            last = TrafficLook(HALF, traffic.snapshot(), timedelta(seconds=3.5 * every_s))
        assert one.fits(release("v2"), last)
        told = _told(one, last)
        if told.verdict.answer is Answer.REGRESSED:
            break
    assert 300 < second <= 300 + 2 * every_s + 15
    seen = one.seen(told.verdict)
    assert seen.new is not None
    assert seen.new.error_ratio == pytest.approx(0.3, abs=0.16)
    assert told.verdict.usual is not None
    assert told.verdict.effect is not None
    assert told.verdict.usual + told.verdict.effect == pytest.approx(0.3, abs=0.05)
