"""What a stated confidence is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.decision.calibration import Calibration, Level, calibrated, report
from rollback_manager.incidents.triggers import TriggerKind
from tests.incidents import POLICY

ERRORS, LATENCY = TriggerKind.CRITICAL_ERROR_RATE, TriggerKind.LATENCY_DEGRADATION


def level(alarms: int, false: int, nats_from: float = 0.0) -> Level:
    return Level(trigger=ERRORS, nats_from=nats_from, alarms=alarms, false=false)


@pytest.mark.parametrize(
    ("own", "fleet", "confidence"),
    [
        # weight 10, so (own false + 10 × share) ÷ (own alarms + 10)
        pytest.param((0, 0), (98, 9), 0.9, id="share (9 + 1) ÷ 100; 1 - 1 ÷ 10"),
        pytest.param((10, 0), (98, 9), 0.95, id="1 - (0 + 1) ÷ 20"),
        pytest.param((10, 5), (98, 9), 0.7, id="1 - (5 + 1) ÷ 20"),
        pytest.param((90, 0), (8, 4), 0.95, id="share 5 ÷ 10; 1 - 5 ÷ 100"),
        pytest.param((30, 0), (0, 0), 0.875, id="share 1 ÷ 2; 1 - 5 ÷ 40"),
        pytest.param((0, 0), (20, 20), 1 / 22, id="share 21 ÷ 22"),
    ],
)
def test_the_services_own_past_counts_and_the_fleets_fills_up(
    own: tuple[int, int], fleet: tuple[int, int], confidence: float
) -> None:
    past = Calibration(service=(level(*own),), fleet=(level(*fleet),))
    found = calibrated(past, ERRORS, 5.0, POLICY)
    assert found.confidence == pytest.approx(confidence)
    assert f"{own[1]} of {own[0]} own and {fleet[1]} of {fleet[0]} other" in found.because


def test_with_too_few_alarms_it_says_so() -> None:
    past = Calibration(service=(level(9, 0),), fleet=(level(10, 0),))
    found = calibrated(past, ERRORS, 5.0, POLICY)
    assert found.confidence is None
    assert found.because == "not calibrated: 19 judged alarms at this evidence, 20 are needed"


def test_the_highest_level_that_the_evidence_reaches_counts() -> None:
    past = Calibration(fleet=(level(98, 49), level(98, 0, nats_from=7.0)))
    weak, strong = calibrated(past, ERRORS, 6.9, POLICY), calibrated(past, ERRORS, 7.0, POLICY)
    assert weak.confidence == pytest.approx(0.5)
    assert strong.confidence == pytest.approx(0.99)


def test_another_triggers_past_says_nothing() -> None:
    assert calibrated(Calibration(fleet=(level(98, 0),)), LATENCY, 9.0, POLICY).confidence is None


def test_a_policy_without_weight_or_minimum_still_gives_a_number() -> None:
    bare = POLICY.model_copy(update={"calibration_alarms": 0, "calibration_weight": 0})
    assert calibrated(Calibration(), ERRORS, 9.0, bare).confidence == 0.5  # Laplace: 1 ÷ 2


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 50))
def test_one_more_false_alarm_never_raises_the_confidence(own: int, fleet: int, more: int) -> None:
    def confidence(false: int) -> float:
        past = Calibration(service=(level(own + more, false),), fleet=(level(fleet + 20, 1),))
        answer = calibrated(past, ERRORS, 1.0, POLICY).confidence
        assert answer is not None
        assert 0 <= answer <= 1
        return answer

    assert confidence(more) <= confidence(more - 1)


def test_the_reliability_table() -> None:
    # bin 0.9: ten at 0.95, nine true; bin 0.2: four at 0.25, two true
    told = [(0.95, n < 9) for n in range(10)] + [(0.25, n < 2) for n in range(4)]
    table = report(told)
    assert [(one.stated_from, one.count) for one in table.bins] == [(0.2, 4), (0.9, 10)]
    assert [one.came_true for one in table.bins] == [0.5, 0.9]
    # 10 ÷ 14 × |0.95 - 0.9| + 4 ÷ 14 × |0.25 - 0.5| = 1.5 ÷ 14
    assert table.expected_error == pytest.approx(1.5 / 14)


def test_the_edges_of_the_bins() -> None:
    table = report([(0.0, False), (0.3, True), (1.0, True)])
    assert [one.stated_from for one in table.bins] == [0.0, 0.3, 0.9]
    assert report([]).expected_error == 0
