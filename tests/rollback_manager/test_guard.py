"""The guard: no write leaves users with less than they can live on."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.guard import floor_for, judge_removal, judge_shift

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


@pytest.mark.parametrize(
    ("to_ready", "from_ready", "floor", "allowed", "because"),
    [
        (3, 4, 3, True, "ready 3 where the traffic goes, 4 where it is, floor 3"),
        (4, 0, 3, True, "floor 3"),
        (2, 4, 3, False, "it would fall below the floor"),
        (2, 2, 3, True, "ready 2"),
        (2, 1, 3, True, "ready 2"),
        (0, 1, 3, False, "that side is dead"),
        (0, 0, 3, True, "nothing is up, the guard steps aside"),
    ],
)
def test_a_shift_is_judged_by_readiness_on_both_sides(
    to_ready: int, from_ready: int, floor: int, allowed: bool, because: str
) -> None:
    judgement = judge_shift(to_ready, from_ready, floor)
    assert judgement.allowed is allowed
    assert because in judgement.because


@given(ready, ready, floors)
def test_an_allowed_shift_keeps_the_floor_or_makes_nothing_worse(
    to_ready: int, from_ready: int, floor: int
) -> None:
    if judge_shift(to_ready, from_ready, floor).allowed:
        assert to_ready >= min(floor, from_ready)


@given(st.integers(1, 50), floors)
def test_no_traffic_goes_to_a_dead_side_while_another_lives(from_ready: int, floor: int) -> None:
    assert not judge_shift(0, from_ready, floor).allowed


@given(ready, ready, floors)
def test_a_shift_to_a_side_above_the_floor_is_never_held_up(
    above: int, from_ready: int, floor: int
) -> None:
    assert judge_shift(floor + above, from_ready, floor).allowed


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
