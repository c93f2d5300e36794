"""How it ended: the state of the world has the last word, and the exit code says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.progress import (
    EFFECTS,
    EndState,
    Found,
    Result,
    RollbackOutcome,
    ServiceOutcome,
    effect_of,
    end_state,
    exit_code,
)


def service(end: EndState, name: str = "shop") -> ServiceOutcome:
    return ServiceOutcome(service=name, end=end, verified=False, because="")


def outcome(result: Result, *ends: EndState) -> RollbackOutcome:
    services = tuple(service(end) for end in ends)
    return RollbackOutcome(rollback="r", result=result, because="", effect="", services=services)


@pytest.mark.parametrize(
    ("shares", "wrote", "expected"),
    [
        ({"v1": 100}, True, EndState.ROLLED_BACK),
        ({"v1": 100}, False, EndState.ROLLED_BACK),
        ({"v1": 100, "v2": 0}, True, EndState.ROLLED_BACK),
        ({"v2": 100}, True, EndState.RESTORED),
        ({"v2": 100}, False, EndState.UNTOUCHED),
        ({"v1": 50, "v2": 50}, True, EndState.MIXED),
        ({"v1": 99, "v2": 1}, True, EndState.MIXED),
        ({"v1": 1, "v2": 99}, False, EndState.MIXED),
        ({"v3": 100}, True, EndState.MIXED),
        ({}, True, EndState.MIXED),
    ],
)
def test_the_end_is_named_after_what_was_found(
    shares: dict[str, int], wrote: bool, expected: EndState
) -> None:
    assert end_state(Found(shares=shares, ready={}), "v1", "v2", wrote) is expected


@given(st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), st.integers(0, 100)), st.booleans())
def test_what_is_neither_wholly_good_nor_wholly_bad_is_mixed(
    shares: dict[str, int], wrote: bool
) -> None:
    whole = 100 in (shares.get("v1"), shares.get("v2"))
    ended = end_state(Found(shares=shares, ready={}), "v1", "v2", wrote)
    assert (ended is EndState.MIXED) != whole


@pytest.mark.parametrize(
    ("result", "ends", "code"),
    [
        (Result.VERIFIED, (EndState.ROLLED_BACK,), 0),
        (Result.REJECTED, (EndState.UNTOUCHED,), 3),
        (Result.ABORTED, (EndState.UNTOUCHED,), 3),
        (Result.ABORTED, (EndState.RESTORED,), 3),
        (Result.ABORTED, (EndState.ROLLED_BACK,), 3),
        (Result.NOT_VERIFIED, (EndState.RESTORED,), 5),
        (Result.NOT_VERIFIED, (EndState.UNTOUCHED,), 5),
        (Result.EXPIRED, (EndState.UNTOUCHED,), 5),
        (Result.BLOCKED, (), 7),
        (Result.STALE_PLAN, (), 9),
    ],
)
def test_the_exit_code_says_what_happened(
    result: Result, ends: tuple[EndState, ...], code: int
) -> None:
    assert exit_code(outcome(result, *ends)) == code


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("end", [EndState.MIXED, EndState.UNKNOWN])
def test_a_mixed_production_is_exit_code_6_whatever_the_result(
    result: Result, end: EndState
) -> None:
    assert exit_code(outcome(result, end)) == 6
    assert exit_code(outcome(result, EndState.ROLLED_BACK, end)) == 6


@pytest.mark.parametrize("end", EndState)
def test_every_end_says_what_it_means_for_production(end: EndState) -> None:
    assert effect_of((service(end),)) == EFFECTS[end]
    assert EFFECTS[end].endswith(".")


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((), EndState.UNTOUCHED),
        ((EndState.ROLLED_BACK, EndState.MIXED), EndState.MIXED),
        ((EndState.MIXED, EndState.ROLLED_BACK), EndState.MIXED),
        ((EndState.MIXED, EndState.UNKNOWN, EndState.UNTOUCHED), EndState.UNKNOWN),
        ((EndState.UNTOUCHED, EndState.ROLLED_BACK), EndState.MIXED),
        ((EndState.RESTORED, EndState.ROLLED_BACK), EndState.MIXED),
        ((EndState.RESTORED, EndState.UNTOUCHED), EndState.RESTORED),
        ((EndState.ROLLED_BACK, EndState.ROLLED_BACK), EndState.ROLLED_BACK),
    ],
)
def test_the_worst_service_speaks_for_all(ends: tuple[EndState, ...], said: EndState) -> None:
    assert effect_of(tuple(service(end) for end in ends)).startswith(EFFECTS[said])
