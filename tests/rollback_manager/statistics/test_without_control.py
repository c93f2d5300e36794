"""Tests that need no control: fixed limits, instances, silence, seasons, floors."""

from datetime import UTC, datetime

import numpy as np
import pytest

from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.statistics import instances
from rollback_manager.statistics.business import BUSINESS, THROUGHPUT, judge_floor
from rollback_manager.statistics.evidence import Answer, Arm, Interval
from rollback_manager.statistics.instances import Instance, judge_instances
from rollback_manager.statistics.release_watch import together
from rollback_manager.statistics.seasonal import seasonal
from rollback_manager.statistics.silence import Silence
from rollback_manager.statistics.static import judge_static

REGRESSED, FINE, CANNOT_TELL = Answer


def minute(errors: int = 0, requests: int = 100, p95: float | None = 50) -> Reading:
    return Reading(
        version="v2",
        requests=requests,
        errors=errors,
        latency_p95_ms=p95,
        window_s=60,
        taken_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


GAP = NoReading(version="v2", because="the source did not answer")


@pytest.mark.parametrize(
    ("minutes", "answer"),
    [
        ([minute(50)] * 3, REGRESSED),
        ([minute(50)] * 2 + [minute()] * 3, FINE),
        ([minute(50), minute(), minute(50), minute(), minute(50)], REGRESSED),
        ([minute(50)] * 3 + [minute()] * 5, FINE),
        ([minute(10)] * 5, FINE),
        ([minute()] * 2, CANNOT_TELL),
        ([minute()] * 3, FINE),
        ([GAP] * 5, CANNOT_TELL),
        ([minute(2, 15)] * 5, CANNOT_TELL),
        ([], CANNOT_TELL),
        ([minute(p95=201)] * 3, REGRESSED),
        ([minute(p95=None)] * 5, FINE),
    ],
)
def test_three_bad_minutes_of_five_decide(
    minutes: list[Reading | NoReading], answer: Answer
) -> None:
    assert judge_static(minutes, latency_limit_ms=200).answer is answer


def test_latency_without_a_limit_is_not_judged() -> None:
    assert judge_static([minute(p95=9000)] * 5).answer is FINE


def instance(probes: str, version: str = "v2", starting: bool = False) -> Instance:
    return Instance(version, tuple(probe == "+" for probe in probes), starting)


@pytest.mark.parametrize(
    ("group", "answer"),
    [
        ([instance("+---"), instance("+"), instance("+")], REGRESSED),
        ([instance("++--"), instance("+"), instance("+")], CANNOT_TELL),
        ([instance("--"), instance("+"), instance("+")], CANNOT_TELL),
        ([instance("---+"), instance("+"), instance("+")], FINE),
        ([instance("---"), *[instance("+")] * 9], CANNOT_TELL),
        ([instance("---", "v1"), instance("+")], FINE),
        ([instance("---", starting=True), instance("+")], FINE),
        ([instance("---", starting=True)], CANNOT_TELL),
        ([instance("")], CANNOT_TELL),
        ([], CANNOT_TELL),
    ],
)
def test_instances_of_the_new_version_that_fail_three_times_in_a_row_count(
    group: list[Instance], answer: Answer
) -> None:
    assert judge_instances(group, "v2").answer is answer


def test_without_three_in_a_row_one_lost_probe_of_three_instances_condemns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = [instance("+++-"), instance("++++"), instance("++++")]
    assert judge_instances(group, "v2").answer is CANNOT_TELL
    monkeypatch.setattr(instances, "IN_A_ROW", 1)
    assert judge_instances(group, "v2").answer is REGRESSED


def test_fewer_than_the_least_number_never_condemn() -> None:
    group = [instance("---"), instance("+")]
    assert judge_instances(group, "v2", least=2).answer is CANNOT_TELL


def listened(requests: list[float], control: float = 90) -> Silence:
    silence = Silence.fresh(0.1)
    for at_s, count in enumerate(requests, start=1):
        interval = Interval.of(at_s, 1.0, Arm.of(count, 0), Arm.of(control, 0))
        silence = silence.with_more(interval)
    return silence


def test_silence_is_neither_a_pass_nor_a_rollback() -> None:
    assert listened([10, 10, 0, 0]).finding().answer is CANNOT_TELL
    assert listened([10, 10, 0, 0]).finding().evidence_nats == pytest.approx(20)
    assert listened([10, 10, 0]).finding().answer is FINE
    assert listened([]).finding().answer is CANNOT_TELL


def test_a_service_that_nobody_asks_is_not_silent() -> None:
    assert listened([1, *[0] * 100], control=0).finding().evidence_nats == 0


def days(level: float, count: int = 7, noise: float = 0.02, minutes: int = 180) -> np.ndarray:
    chance = np.random.default_rng(3)
    shape = level * (1 + 0.5 * np.sin(np.arange(minutes) / 60))
    return np.asarray(shape * (1 + noise * chance.standard_normal((count, minutes))))


@pytest.mark.parametrize(
    ("left", "answer"), [(1.0, FINE), (0.9, FINE), (0.7, REGRESSED), (0.0, REGRESSED)]
)
def test_a_drop_below_what_this_hour_brings_is_found(left: float, answer: Answer) -> None:
    past = days(100)
    today = past[0] * 1.3  # a better day than the others: the level is matched
    said = judge_floor(BUSINESS, past[1:], today[:120], left * today[120:130])
    assert said.answer is answer
    assert "former days" in said.comparator


def test_throughput_has_a_lower_floor_than_business() -> None:
    past = days(100)
    watched = 0.7 * past[0][120:130]
    assert judge_floor(THROUGHPUT, past[1:], past[0][:120], watched).answer is FINE


def test_a_large_drop_of_a_noisy_number_is_no_news() -> None:
    past = days(100, noise=0.4)
    watched = 0.75 * np.full(5, past[1:, 120:125].mean())
    assert judge_floor(BUSINESS, past[1:], past[0][:120], watched).answer is not REGRESSED


@pytest.mark.parametrize(
    ("past", "before", "watched"),
    [
        (days(100, count=2), days(100)[0][:120], np.full(5, 1.0)),
        (days(100), np.full(120, np.nan), np.full(5, 1.0)),
        (days(100), days(100)[0][:120], np.full(2, 1.0)),
        (days(100), days(100)[0][:120], np.array([1.0, 1.0, np.nan])),
        (days(2), days(2)[0][:120], np.full(5, 0.0)),
        (np.zeros((7, 180)), np.zeros(120), np.zeros(5)),
    ],
)
def test_too_little_to_go_by_is_said_to_be(
    past: np.ndarray, before: np.ndarray, watched: np.ndarray
) -> None:
    assert judge_floor(BUSINESS, past, before, watched).answer is CANNOT_TELL


def test_residuals_of_a_usual_day_are_small() -> None:
    past = days(100)
    model = seasonal(past[1:], past[0][:120])
    assert model is not None
    assert np.abs(model.residuals(past[0][120:])).mean() < 2


def test_the_most_evident_regression_speaks_for_all() -> None:
    bad = judge_instances([instance("---")], "v2")
    fine = judge_static([minute()] * 5)
    unsure = judge_static([])
    assert together([fine, unsure, bad]) is bad
    assert together([fine, unsure]) is unsure
    assert together([fine]) is fine
    assert together([]).answer is CANNOT_TELL
