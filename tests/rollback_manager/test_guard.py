"""The guard: no write leaves users with less than they can live on."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.guard import (
    Side,
    carries,
    floor_for,
    fraction_for,
    judge_batch,
    judge_removal,
    judge_shift,
)
from rollback_manager.policy import Policy

ready = st.integers(0, 50)
floors = st.integers(1, 50)


@pytest.mark.parametrize(
    ("desired", "fraction", "floor"),
    [
        (0, 0.66, 1),
        (1, 0.66, 1),
        (2, 0.66, 2),
        (3, 0.66, 2),
        (4, 0.66, 3),
        (10, 0.66, 7),
        (50, 0.66, 33),
        (100, 0.66, 66),
        (100, 0.07, 7),  # 7.000000000000001 in floats
        (4, 0.0, 1),
        (4, 1.0, 4),
    ],
)
def test_the_floor_is_a_rounded_up_share_of_desired(
    desired: int, fraction: float, floor: int
) -> None:
    assert floor_for(desired, fraction) == floor


@given(desired=st.integers(0, 10_000), percent=st.integers(0, 100))
def test_the_floor_is_exact_and_at_least_one(desired: int, percent: int) -> None:
    exact = -(-Fraction(percent, 100) * desired // 1)
    assert floor_for(desired, percent / 100) == max(1, exact)


def sides(*rows: tuple[str, int, int, int]) -> list[Side]:
    """(version, share now, share then, ready)."""
    return [Side(version=v, now=now, then=then, ready=ready) for v, now, then, ready in rows]


@pytest.mark.parametrize(
    ("to_ready", "from_ready", "floor", "allowed", "because"),
    [
        (3, 4, 3, True, "good 0 → 100 %, 3 ready; bad 100 → 0 %, 4 ready; floor 3"),
        (4, 0, 3, True, "floor 3"),
        (2, 4, 3, False, "it would fall below the floor"),
        (2, 2, 3, True, "2 ready"),
        (2, 1, 3, True, "2 ready"),
        (0, 1, 3, False, "good is dead (good 0 → 100 %, 0 ready; bad 100 → 0 %, 1 ready"),
        (0, 0, 3, True, "nothing is up, the guard steps aside"),
    ],
)
def test_a_shift_is_judged_by_readiness_on_both_sides(
    to_ready: int, from_ready: int, floor: int, allowed: bool, because: str
) -> None:
    judgement = judge_shift(sides(("good", 0, 100, to_ready), ("bad", 100, 0, from_ready)), floor)
    assert judgement.allowed is allowed
    assert because in judgement.because


@pytest.mark.parametrize(
    ("good", "bad", "floor", "allowed"),
    [
        ((0, 25, 1), (100, 75, 4), 3, True),
        ((0, 10, 1), (100, 90, 4), 3, True),
        ((0, 50, 1), (100, 50, 4), 3, False),  # half of the load on one of four
        ((25, 50, 2), (75, 50, 3), 3, True),
        ((0, 10, 0), (100, 90, 4), 3, False),  # a slice for a dead side
        ((33, 66, 2), (67, 34, 1), 3, True),  # whole percents are rounded: one of three is 34 %
        ((10, 33, 1), (90, 67, 0), 3, True),  # the side that has most is dead: away from it
    ],
)
def test_a_slice_is_judged_by_the_load_that_each_side_gets(
    good: tuple[int, int, int], bad: tuple[int, int, int], floor: int, allowed: bool
) -> None:
    assert judge_shift(sides(("good", *good), ("bad", *bad)), floor).allowed is allowed


@given(st.integers(0, 100), st.integers(0, 100), ready, ready, floors)
def test_an_allowed_split_keeps_the_floor_or_makes_nothing_worse(
    now: int, then: int, good: int, bad: int, floor: int
) -> None:
    both = sides(("good", now, then, good), ("bad", 100 - now, 100 - then, bad))
    if judge_shift(both, floor).allowed and good + bad:
        before = carries([(now, good), (100 - now, bad)])
        after = carries([(then, good), (100 - then, bad)])
        assert after >= floor or after >= before


@given(st.integers(1, 50), floors)
def test_no_traffic_goes_to_a_dead_side_while_another_lives(from_ready: int, floor: int) -> None:
    both = sides(("good", 0, 100, 0), ("bad", 100, 0, from_ready))
    assert not judge_shift(both, floor).allowed


@given(ready, ready, floors)
def test_a_shift_to_a_side_above_the_floor_is_never_held_up(
    above: int, from_ready: int, floor: int
) -> None:
    both = sides(("good", 0, 100, floor + above), ("bad", 100, 0, from_ready))
    assert judge_shift(both, floor).allowed


def test_the_evidence_of_both_sides_is_told() -> None:
    both = [
        Side(version="v1", now=0, then=100, ready=0, told="0 of 9 requests failed"),
        Side(version="v2", now=100, then=0, ready=4, told="90 of 900 requests failed"),
    ]
    because = judge_shift(both, 3).because
    assert "v1 0 → 100 %, 0 ready, 0 of 9 requests failed" in because
    assert "v2 100 → 0 %, 4 ready, 90 of 900 requests failed" in because


@pytest.mark.parametrize(
    ("good", "bad", "left", "floor", "allowed"),
    [
        ((25, 1), (75, 4), 3, 3, True),
        ((25, 1), (75, 4), 2, 3, False),
        ((75, 3), (25, 2), 1, 3, True),
        ((75, 2), (25, 2), 1, 3, False),  # the side that takes over lost an instance meanwhile
        ((100, 4), (0, 2), 0, 3, True),
    ],
)
def test_a_batch_stops_only_where_the_rest_carries_the_load(
    good: tuple[int, int], bad: tuple[int, int], left: int, floor: int, allowed: bool
) -> None:
    both = sides(("good", good[0], good[0], good[1]), ("bad", bad[0], bad[0], bad[1]))
    assert judge_batch(both, "bad", left, floor).allowed is allowed


@pytest.mark.parametrize(
    ("desired", "by_size", "fraction"),
    [(4, True, 1.0), (10, True, 0.9), (19, True, 0.9), (20, True, 0.95), (20, False, 0.66)],
)
def test_a_policy_may_ask_more_of_small_services(
    desired: int, by_size: bool, fraction: float
) -> None:
    assert fraction_for(desired, Policy(floor_by_size=by_size)) == fraction


@pytest.mark.parametrize(
    ("kept_ready", "floor", "percent", "in_flight", "allowed", "because"),
    [
        (3, 3, 0, 0, True, "ready 3 remain, floor 3, no traffic"),
        (9, 3, 1, 0, False, "it still has 1 % of the traffic"),
        (9, 3, 0, 1, False, "it still answers 1 requests"),
        (2, 3, 0, 0, False, "ready 2 would be all, floor 3"),
        (0, 1, 0, 0, False, "ready 0 would be all, floor 1"),
    ],
)
def test_a_removal_needs_no_traffic_no_request_and_the_floor(
    kept_ready: int, floor: int, percent: int, in_flight: int, allowed: bool, because: str
) -> None:
    judgement = judge_removal(kept_ready, floor, percent, in_flight)
    assert judgement.allowed is allowed
    assert because in judgement.because


@given(ready, floors, st.integers(0, 100), st.integers(0, 5))
def test_an_allowed_removal_harms_nobody(
    kept_ready: int, floor: int, percent: int, in_flight: int
) -> None:
    allowed = judge_removal(kept_ready, floor, percent, in_flight).allowed
    assert allowed == (kept_ready >= floor and percent == 0 and in_flight == 0)
