"""A part that is tried again: what of it can be, and how all of it stands then."""

import pytest

from rollback_manager.fleet.tree import again, joined
from rollback_manager.plan import Part
from rollback_manager.progress import EndState, Result, RollbackOutcome, ServiceOutcome

PART = Part(key="k-p3", wave=2, services=("a", "b", "c"), digest="d" * 64)


def ended(result: Result, *well: str, **others: EndState) -> RollbackOutcome:
    services = tuple(
        ServiceOutcome(service=name, end=end, verified=False, because=f"{name} is {end}")
        for name, end in others.items()
    )
    because = "as it was said"
    return RollbackOutcome(
        rollback="r", result=result, because=because, effect="", services=services, well=well
    )


def test_only_what_is_not_back_is_tried_again_under_a_key_of_its_own_without_a_plan() -> None:
    before = ended(Result.ABORTED, "a", b=EndState.ROLLED_BACK, c=EndState.MIXED)
    made = again(PART, before, 2)
    assert made == Part(key="k-p3-2", wave=2, services=("c",))


def test_a_part_that_did_not_begin_is_tried_again_whole() -> None:
    untouched = dict.fromkeys("abc", EndState.UNTOUCHED)
    assert again(PART, ended(Result.STALE_PLAN, **untouched), 2).services == ("a", "b", "c")


def test_what_is_well_after_either_attempt_is_well() -> None:
    before = ended(Result.ABORTED, "a", b=EndState.RESTORED, c=EndState.MIXED)
    told = joined(before, ended(Result.VERIFIED, "b", "c"))
    assert (told.result, told.well, told.services) == (Result.VERIFIED, ("a", "b", "c"), ())


def test_what_was_not_tried_again_keeps_a_part_from_being_verified() -> None:
    before = ended(Result.ABORTED, "a", b=EndState.ROLLED_BACK, c=EndState.MIXED)
    told = joined(before, ended(Result.VERIFIED, "c"))
    assert (told.result, told.well) == (Result.NOT_VERIFIED, ("a", "c"))
    assert told.because == "b rolled_back: b is rolled_back"


@pytest.mark.parametrize(
    ("was", "later", "stands"),
    [
        (EndState.MIXED, EndState.UNTOUCHED, EndState.MIXED),
        (EndState.UNKNOWN, EndState.RESTORED, EndState.UNKNOWN),
        (EndState.MIXED, EndState.ROLLED_BACK, EndState.ROLLED_BACK),
        (EndState.UNTOUCHED, EndState.MIXED, EndState.MIXED),
        (EndState.UNTOUCHED, EndState.RESTORED, EndState.RESTORED),
    ],
)
def test_a_second_attempt_that_changed_nothing_does_not_hide_what_the_first_one_left(
    was: EndState, later: EndState, stands: EndState
) -> None:
    told = joined(ended(Result.ABORTED, b=was), ended(Result.ABORTED, b=later))
    assert [one.end for one in told.services] == [stands]
