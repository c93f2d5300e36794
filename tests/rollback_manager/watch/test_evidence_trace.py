"""What a test saw until it spoke: kept small, and nothing of it lost in the sums."""

from datetime import timedelta

import numpy as np
import pytest

from rollback_manager.statistics.evidence import Answer, Arm, Finding, Interval
from rollback_manager.watch.evidence_recorder import MOST, EvidenceRecorder
from rollback_manager.watch.evidence_trace import EvidenceTrace, Tally, fewer
from tests.incidents import NOW
from tests.traces import trace


def finding(nats: float, answer: Answer = Answer.REGRESSED, **more: object) -> Finding:
    words = {
        "test": "error_ratio",
        "answer": answer,
        "evidence_nats": nats,
        "threshold_nats": 4.0,
        "requests": 100,
        "comparator": "v1",
        "because": "it is worse",
    }
    return Finding.model_validate({**words, **more})


def recorded(seconds: int, *tests: Finding) -> EvidenceRecorder:
    """A look a second, each with 3 of 100 failed and 7 of 90 slow; of v1 1 of 50, and 2 of 40."""
    recorder = EvidenceRecorder("v2", "v1")
    for second in range(1, seconds + 1):
        seen = Interval.of(second, 1, Arm.of(100, 3, 7, 90), Arm.of(50, 1, 2, 40))
        recorder.look(NOW + timedelta(seconds=second), tests, seen)
    return recorder


def test_a_short_trace_has_every_look() -> None:
    made = recorded(5, finding(4.2)).trace(finding(4.2))
    assert [point.ago_s for point in made.points] == [4, 3, 2, 1, 0]
    assert {(point.evidence, point.new, point.old) for point in made.points} == {
        (1.05, Tally(3, 100), Tally(1, 50))
    }
    assert (made.until, made.evidence, made.threshold) == (NOW + timedelta(seconds=5), 4.2, 4.0)


def test_a_long_trace_is_small_fine_at_its_end_and_loses_no_request() -> None:
    made = recorded(1000, finding(4.2)).trace(finding(4.2))
    assert len(made.points) == MOST
    assert 285 <= made.points[0].ago_s <= 300
    assert sum(point.new.tries for point in made.points[1:]) == 100 * made.points[0].ago_s
    steps = -np.diff([point.ago_s for point in made.points])
    assert steps[-10:].max() <= 2 < steps[:5].min() <= steps.max() <= 20
    assert len(made.model_dump_json()) < 6_000


def test_each_test_has_what_it_counts() -> None:
    slow = finding(9.0, test="latency_p95")
    made = recorded(3, finding(0.4), slow).trace(slow)
    assert (made.measure, made.points[0].new) == ("slow requests", Tally(7, 90))
    assert made.points[0].evidence == 2.25


def test_what_is_suspected_shows_before_it_counts() -> None:
    waits = finding(0.0, Answer.CANNOT_TELL, suspected=1.14)
    assert recorded(3, waits).trace(finding(4.2)).points[0].evidence == 1.14


@pytest.mark.parametrize(
    "silent",
    [
        finding(0.1, Answer.FINE_SO_FAR),
        finding(0.0, Answer.CANNOT_TELL),
        finding(9, test="silence"),
    ],
)
def test_a_test_that_does_not_speak_has_no_trace(silent: Finding) -> None:
    assert recorded(3, silent).trace(silent) == EvidenceTrace()


def test_nothing_seen_is_no_trace() -> None:
    assert EvidenceRecorder("v2", "v1").trace(finding(4.2)) == EvidenceTrace()


@pytest.mark.parametrize(
    ("evidence", "ago_s"),
    [((0.2, 1.1, 0.9, 1.0, 1.2), 1), ((1.1, 1.2), 1), ((0.2, 0.9), None)],
)
def test_the_threshold_is_reached_for_good_where_it_stands_to_the_end(
    evidence: tuple[float, ...], ago_s: float | None
) -> None:
    reached = trace(NOW, *evidence).reached
    assert (reached.ago_s if reached else None) == ago_s


@pytest.mark.parametrize("most", [1, 4, 7, 26, 99])
def test_fewer_points_have_the_same_sums_and_the_same_end(most: int) -> None:
    whole = trace(NOW).points
    few = fewer(whole, most)
    assert len(few) <= most
    assert few[-1].evidence == whole[-1].evidence
    assert few[-1].ago_s == 0
    assert sum(point.new.hits for point in few) == sum(point.new.hits for point in whole)
    assert sum(point.old.tries for point in few) == 2600


def test_of_nothing_there_is_nothing() -> None:
    assert fewer((), 5) == ()
    with pytest.raises(ValueError, match="no moments"):
        EvidenceTrace().at(trace(NOW).points[0])


def test_a_clock_that_was_put_back_leaves_no_look_of_a_time_to_come() -> None:
    one = recorded(MOST + 5, finding(0.5))
    back = NOW - timedelta(seconds=90)
    for second in range(MOST + 5):
        at = back + timedelta(seconds=second // 2)
        one.look(at, (finding(1.0),), Interval.of(1, 1, Arm.of(100, 3), Arm.of(50, 1)))
    points = one.trace(finding(1.0)).points
    assert points[-1].ago_s == 0
    assert all(point.ago_s >= 0 for point in points)
