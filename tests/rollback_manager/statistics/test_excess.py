"""The test beside a control: what it claims, what it refuses to claim, and its guards."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollback_manager.statistics import (
    comparator,
    errors,
    excess,
    passing_trouble,
    slow_requests,
)
from rollback_manager.statistics.comparator import Control, Margin
from rollback_manager.statistics.envelope import Envelope
from rollback_manager.statistics.evidence import Answer, Arm, Interval
from rollback_manager.statistics.release_watch import History, ReleaseWatch

SHARE = 0.1
NO_WARM_UP = Envelope((0.0,), (0.0,))
HISTORY = History(0.01, NO_WARM_UP, NO_WARM_UP)
Rates = Callable[[int], tuple[float, float, float, float]]
"""Second → error ratio and slow share of the new version, then of the control."""


def second(at_s: int, new: tuple[float, float], control: tuple[float, float]) -> Interval:
    """100 requests of the new version and 900 of the control, without chance."""
    running = 100.0 if at_s > 0 else 0.0
    return Interval.of(
        at_s,
        1.0,
        Arm.of(running, running * new[0], running * new[1]),
        Arm.of(900, 900 * control[0], 900 * control[1]),
    )


def story(rates: Rates, seconds: int) -> Iterator[Interval]:
    for at_s in range(-60, seconds + 1):
        failed, slow, control_failed, control_slow = rates(at_s)
        yield second(at_s, (failed, slow), (control_failed, control_slow))


def first_alarm(rates: Rates, seconds: int = 600, history: History = HISTORY) -> int | None:
    watch = ReleaseWatch.begin(history, SHARE)
    for interval in story(rates, seconds):
        watch = watch.with_more(interval)
        if watch.regressed[0]:
            return int(interval.at_s[0])
    return None


def watched(rates: Rates, seconds: int) -> ReleaseWatch:
    watch = ReleaseWatch.begin(HISTORY, SHARE)
    for interval in story(rates, seconds):
        watch = watch.with_more(interval)
    return watch


def healthy(_: int) -> tuple[float, float, float, float]:
    return 0.01, 0.05, 0.01, 0.05


def test_a_release_as_good_as_the_old_one_is_fine_up_to_a_stated_size() -> None:
    errors_say = watched(healthy, 300).findings()[0]
    assert errors_say.answer is Answer.FINE_SO_FAR
    assert errors_say.fine_up_to == 0.01
    assert errors_say.effect_low is not None
    assert errors_say.effect_high is not None
    assert errors_say.effect_low <= 0 <= errors_say.effect_high


def test_a_bad_release_is_seen_within_seconds() -> None:
    alarm = first_alarm(lambda s: (0.11 if s > 0 else 0.01, 0.05, 0.01, 0.05))
    assert alarm is not None
    assert alarm <= 3


def test_slow_answers_are_seen_though_nothing_fails() -> None:
    slow = slow_requests.share_above(2.1)
    alarm = first_alarm(lambda s: (0.01, slow if s > 0 else 0.05, 0.01, 0.05))
    assert alarm is not None
    assert alarm <= 3


def test_a_late_fault_is_not_outweighed_by_the_good_time_before_it() -> None:
    alarm = first_alarm(lambda s: (0.11 if s > 300 else 0.01, 0.05, 0.01, 0.05))
    assert alarm is not None
    assert 300 < alarm <= 320


def test_without_the_confirmation_a_swing_of_noise_is_an_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def swing(at_s: int) -> tuple[float, float, float, float]:
        return 0.10 if 300 < at_s <= 308 else 0.01, 0.05, 0.01, 0.05

    assert first_alarm(swing) is None
    monkeypatch.setattr(excess, "CONFIRM_S", 0.0)
    assert first_alarm(swing) is not None


def test_a_late_regression_below_the_limit_of_users_is_left_to_people() -> None:
    def small(at_s: int) -> tuple[float, float, float, float]:
        return 0.08 if at_s > 300 else 0.01, 0.05, 0.01, 0.05

    def alarms(relevant: float) -> bool:
        knobs = replace(errors.KNOBS, relevant=relevant), slow_requests.KNOBS
        watch = ReleaseWatch.begin(HISTORY, SHARE, knobs=knobs)
        for interval in story(small, 600):
            watch = watch.with_more(interval)
        return bool(watch.regressed[0])

    assert not alarms(errors.KNOBS.relevant)
    assert alarms(0.0), "evidence there is"


def test_a_control_that_fails_too_is_never_held_against_the_release() -> None:
    def dependency(at_s: int) -> tuple[float, float, float, float]:
        return (0.5, 0.6, 0.2, 0.3) if 200 < at_s <= 260 else healthy(at_s)

    assert first_alarm(dependency) is None
    said = watched(dependency, 230).verdict()
    assert said.answer is Answer.CANNOT_TELL
    assert "hold" in said.because


def test_an_outage_is_not_half_forgotten_where_requests_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rate_in_an_outage() -> float:
        control, nine, second = Control.unseen(1, 0.01), np.array([9.0]), np.ones(1)
        for at_s in range(400):
            control = control.with_more(nine * (0.13 if at_s >= 300 else 0.01), nine, second)
        return float(control.rate[0])

    assert rate_in_an_outage() >= 0.085
    monkeypatch.setattr(comparator, "MINUTE_S", comparator.SHORT_S)
    assert rate_in_an_outage() < 0.075


def test_without_the_common_mode_guard_it_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def dependency(at_s: int) -> tuple[float, float, float, float]:
        return (0.5, 0.05, 0.2, 0.05) if 200 < at_s <= 260 else healthy(at_s)

    assert first_alarm(dependency) is None
    monkeypatch.setattr(excess, "common_mode", lambda control, _: control.usual < 0)
    assert first_alarm(dependency) is not None


def test_trouble_with_two_faces_that_passes_is_waited_out() -> None:
    def own_blip(at_s: int) -> tuple[float, float, float, float]:
        return (0.15, 0.3, 0.01, 0.05) if 300 < at_s <= 380 else healthy(at_s)

    assert first_alarm(own_blip) is None


def test_without_patience_it_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def own_blip(at_s: int) -> tuple[float, float, float, float]:
        return (0.15, 0.3, 0.01, 0.05) if 300 < at_s <= 380 else healthy(at_s)

    monkeypatch.setattr(passing_trouble, "PATIENCE_S", 0.0)
    assert first_alarm(own_blip) is not None


def test_trouble_with_two_faces_that_stays_is_an_alarm_in_time() -> None:
    alarm = first_alarm(lambda s: (0.15, 0.3, 0.01, 0.05) if s > 300 else healthy(s))
    assert alarm is not None
    assert 400 <= alarm <= 420


def test_an_outage_is_not_waited_out() -> None:
    alarm = first_alarm(lambda s: (0.6, 0.3, 0.01, 0.05) if s > 300 else healthy(s))
    assert alarm is not None
    assert alarm <= 320


def test_the_envelope_forgives_a_warm_up_that_good_releases_had() -> None:
    def warm(at_s: int) -> tuple[float, float, float, float]:
        return 0.01 + 0.06 * np.exp(-max(at_s, 0) / 20), 0.05, 0.01, 0.05

    learnt = replace(HISTORY, error_envelope=Envelope.decaying(0.1, 20.0))
    assert first_alarm(warm, history=learnt) is None
    assert first_alarm(warm, history=HISTORY) is not None


def test_the_margin_forgives_twice_the_control(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(at_s: int) -> tuple[float, float, float, float]:
        return 0.04 if at_s > 0 else 0.02, 0.05, 0.02, 0.05

    assert first_alarm(twice) is None
    exact = replace(errors.KNOBS, margin=Margin(1.0, 0.0))
    watch = ReleaseWatch.begin(HISTORY, SHARE, knobs=(exact, slow_requests.KNOBS))
    for interval in story(twice, 60):
        watch = watch.with_more(interval)
    assert watch.regressed[0]


def test_few_failures_never_condemn() -> None:
    watch = ReleaseWatch.begin(HISTORY, SHARE)
    for at_s in range(-60, 30):
        new = Arm.of(1, 1) if 0 < at_s <= 4 else Arm.of(0, 0)
        watch = watch.with_more(Interval.of(at_s, 1.0, new, Arm.of(9, 0)))
    assert not watch.regressed[0]
    watch = watch.with_more(Interval.of(30, 1.0, Arm.of(1, 1), Arm.of(9, 0)))
    assert watch.regressed[0]


def test_no_data_is_never_fine_and_never_regressed() -> None:
    watch = ReleaseWatch.begin(HISTORY, SHARE)
    assert watch.verdict().answer is Answer.CANNOT_TELL
    for at_s in range(-60, 300):
        none = Arm.of(0, 0)
        watch = watch.with_more(Interval.of(at_s, 1.0, none, none))
        assert watch.verdict().answer is Answer.CANNOT_TELL
        assert not watch.regressed[0]


def test_the_new_version_alone_without_a_control_is_judged_by_the_records() -> None:
    watch = ReleaseWatch.begin(HISTORY, SHARE)
    for at_s in range(1, 30):
        watch = watch.with_more(Interval.of(at_s, 1.0, Arm.of(100, 30, 5), Arm.of(0, 0)))
    assert watch.regressed[0]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(50, 100))
def test_more_failures_are_never_less_evidence(few: int, more: int, tries: int) -> None:
    low, high = sorted((few, more))
    nats = []
    for failed in (low, high):
        watch = ReleaseWatch.begin(HISTORY, SHARE)
        for at_s in range(-30, 10):
            new = Arm.of(tries, failed) if at_s > 0 else Arm.of(0, 0)
            watch = watch.with_more(Interval.of(at_s, 1.0, new, Arm.of(900, 9)))
        nats.append(float(watch.errors.mixture.nats(np.array(errors.KNOBS.weights))[0]))
    assert nats[0] <= nats[1]


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_same_rate_in_both_versions_never_regresses(failed: float, slow: float) -> None:
    assert first_alarm(lambda _: (failed, slow, failed, slow), seconds=120) is None


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=40, max_size=40), st.integers(1, 4))
def test_many_releases_at_once_get_the_answers_of_each_alone(
    failed: list[int], releases: int
) -> None:
    alone = [ReleaseWatch.begin(HISTORY, SHARE) for _ in range(releases)]
    together = ReleaseWatch.begin(HISTORY, SHARE, releases)
    for at_s, count in enumerate(failed, start=1):
        counts = [min(50, count * (number + 1) / 2) for number in range(releases)]
        one, full = np.ones(1), np.full(releases, 50.0)
        new = Arm(full, np.array(counts), full * 0.05, full)
        old = Arm(9 * full, 4.5 + 0 * full, 22.5 + 0 * full, 9 * full)
        together = together.with_more(Interval(at_s * one, one, new, old))
        alone = [
            watch.with_more(
                Interval.of(at_s, 1.0, Arm.of(50, counts[n], 2.5), Arm.of(450, 4.5, 22.5))
            )
            for n, watch in enumerate(alone)
        ]
        assert list(together.regressed) == [bool(one.regressed[0]) for one in alone]


def test_counts_that_cannot_be_are_refused() -> None:
    for wrong in ((10, 11), (10, -1), (float("nan"), 0), (float("inf"), float("inf"))):
        with pytest.raises(ValueError, match="not counts"):
            Arm.of(*wrong)
    with pytest.raises(ValueError, match="not counts"):
        Arm.of(10, 0, 11)


def test_every_slow_limit_is_a_bucket_edge() -> None:
    buckets = ((10.0, 90), (20.0, 96), (50.0, 100))
    assert slow_requests.slow_limit_ms(buckets) == 20.0
    assert slow_requests.slow_limit_ms(buckets, factor=2.0) == 50.0
    assert slow_requests.slow_limit_ms(buckets, factor=9.0) is None
    assert slow_requests.slow_limit_ms(()) is None
