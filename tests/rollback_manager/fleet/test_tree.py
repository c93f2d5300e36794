"""A part that is tried again: what of it can be, and how all of it stands then."""

import pytest

from rollback_manager.authority.quorum import Quorum
from rollback_manager.contract import Planned
from rollback_manager.fleet.tree import Tree, again, joined, no_less, other_releases
from rollback_manager.plan import Part
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.progress import EndState, Result, RollbackOutcome, ServiceOutcome
from rollback_manager.tier import Tier

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


def test_what_would_be_taken_back_from_another_version_than_before_is_named() -> None:
    was = {"a": "v2", "b": "v2", "c": "v2"}
    assert other_releases("abc", was, was) == ""
    told = other_releases("abc", was, {**was, "b": "v1", "c": "v3"})
    assert told == (
        "b would go back from v1, and not from v2, which was called bad;"
        " c would go back from v3, and not from v2, which was called bad"
    )


@pytest.mark.parametrize(("was", "now"), [({}, {"a": "v2"}), ({"a": "v2"}, {}), ({}, {})])
def test_a_version_that_another_build_did_not_tell_is_no_match(
    was: dict[str, str], now: dict[str, str]
) -> None:
    assert other_releases("a", was, now)


def test_a_part_that_is_tried_again_asks_for_what_the_whole_asked_for() -> None:
    asked, one = ApprovalPolicy(required=True), Quorum(votes=2, not_requester=True, because="T3")
    tree = Tree(parts=(), approval=asked, digest="d", tier=Tier.T3, quorum=one)
    free = Quorum(votes=0, because="T0: nobody is asked", among=("owners-of-b",))
    made = no_less(Planned(approval=ApprovalPolicy(), tier=Tier.T0, quorum=free), tree)
    assert made.approval is not None
    assert made.approval.required
    assert made.tier is Tier.T3
    assert made.quorum == one.model_copy(update={"among": ("owners-of-b",)})


def test_a_part_that_is_tried_again_and_asks_for_more_gets_more() -> None:
    tree = Tree(
        parts=(), approval=ApprovalPolicy(), digest="d", tier=Tier.T1, quorum=Quorum(votes=1)
    )
    more = Planned(
        approval=ApprovalPolicy(required=True),
        tier=Tier.T3,
        quorum=Quorum(votes=2, of_owners=("payments",), because="T3"),
    )
    assert no_less(more, tree) == more
