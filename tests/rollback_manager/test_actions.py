"""The building blocks of every strategy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager import actions
from rollback_manager.candidates import alternatives, usable
from rollback_manager.plan import Removed, Split
from rollback_manager.policy import Policy, SlicePolicy
from rollback_manager.release import Release, Standing
from rollback_manager.strategies import ServiceFacts, strategy_named
from tests.builders import at

parts = st.integers(1, 99)


def release(version: str, age: int, standing: Standing = Standing.VERIFIED) -> Release:
    """The higher `age`, the younger."""
    return Release(
        version=version,
        digest=f"sha256:{version}",
        recorded_at=at(age),
        recorded_by="test",
        standing=standing,
    )


@pytest.mark.parametrize(
    ("percent", "requests", "at_least"),
    [(100, 100, 0.99), (50, 100, 0.345), (10, 100, 0.009), (10, 10_000, 0.09), (1, 100, 0.0)],
)
def test_a_share_is_measured_as_well_as_its_sample_allows(
    percent: int, requests: int, at_least: float
) -> None:
    policy = Policy(confirmed_requests=requests)
    assert actions.measurable(percent, policy) == pytest.approx(at_least, abs=0.001)


@given(good=parts, others=st.lists(parts, min_size=1, max_size=4))
def test_a_split_gives_the_rest_to_the_others_as_they_shared_it(
    good: int, others: list[int]
) -> None:
    before = {f"v{n}": part for n, part in enumerate(others)}
    after = actions.split("good", good, before)
    assert sum(after.values()) == 100
    assert after["good"] == good
    assert all(part > 0 for part in after.values())


def test_slices_below_what_the_good_version_has_are_left_out() -> None:
    phases = actions.slices("v1", {"v1": 40, "v2": 60}, Policy())
    splits = [p.actions[0].wanted for p in phases]
    assert [s.shares for s in splits if isinstance(s, Split)] == [{"v1": 66, "v2": 34}, {"v1": 100}]


@pytest.mark.parametrize("percents", [(), (10, 33), (33, 10, 100), (10, 10, 100), (100, 110)])
def test_slices_rise_and_end_at_100(percents: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"slices rise|less than or equal to 100"):
        SlicePolicy(percents=percents)


def facts(attempts: int) -> ServiceFacts:
    return ServiceFacts(
        good="v2",
        bad="v3",
        desired=4,
        good_instances=4,
        shares={"v3": 100},
        policy=Policy(further_attempts=attempts),
    )


@pytest.mark.parametrize("attempts", [0, 1, 2, 3])
def test_as_many_candidates_are_planned_as_the_policy_allows(attempts: int) -> None:
    older = [release("v1", 2), release("v0", 1)]
    made = alternatives(strategy_named("blue_green"), facts(attempts), older, {})
    assert [one.version for one in made] == ["v1", "v0"][:attempts]


def test_each_candidate_starts_from_the_one_before_it_and_removes_both() -> None:
    older = [release("v1", 2), release("v0", 1)]
    first, second = alternatives(strategy_named("blue_green"), facts(3), older, {})
    for made, leaving in ((first, "v2"), (second, "v1")):
        steps = [action for phase in made.phases for action in phase.actions]
        shift = next(step for step in steps if isinstance(step.wanted, Split))
        assert isinstance(shift.undo, Split)
        assert shift.undo.shares == {leaving: 100}
        removed = [s.wanted for s in steps if isinstance(s.wanted, Removed)]
        assert [(r.version, r.kept) for r in removed] == [
            (leaving, made.version),
            ("v3", made.version),
        ]


def test_only_what_is_still_what_was_verified_is_a_candidate() -> None:
    first = release("v3", 3)
    known = [
        first,
        release("v2", 2, Standing.BAD),
        release("v1", 1),
        release("v0", 0),
        release("v9", 9),
    ]
    digests = {"v1": "sha256:other", "v0": release("v0", 0).digest, "v9": release("v9", 9).digest}
    assert [one.version for one in usable(known, first, "v4", digests)] == ["v0"]
