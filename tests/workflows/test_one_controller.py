"""Second thoughts where one controller keeps the instances: its template moves the traffic."""

import pytest

from rollback_manager import without_shares
from rollback_manager.moves import Moves
from rollback_manager.plan import Action, ActionKind, Alternative, Capacity, ServicePlan
from rollback_manager.policy import Policy
from rollback_manager.progress import StepRecord, StepState
from rollback_manager.strategies import ServiceFacts
from tests.builders import service_plan, step
from workflows.course import Course
from workflows.undo import Undo

FAILING = {"v1": 0.1, "v0": 0.9}


class Over(Exception):
    """A person was asked: the test is over."""


class StandInSteps:
    """Every verification fails; what was begun is kept in order."""

    def __init__(self, plan: ServicePlan) -> None:
        self.actions = list(plan.actions)
        self.begun: list[Action] = []
        self.goes_for = plan.to_version

    def append(self, action: Action) -> int:
        self.actions.append(action)
        return len(self.actions) - 1

    async def attempt(self, number: int, *, cut: bool = True, undoes: bool = False) -> StepRecord:
        action = self.actions[number]
        self.begun.append(action)
        is_proof = action.kind is ActionKind.VERIFY
        return step(action.kind, 0, 1, state=StepState.FAILED if is_proof else StepState.DONE)

    def error_ratio(self, number: int) -> float:
        return FAILING[self.actions[number].wanted.version]  # type: ignore[union-attr]

    def supersede(self, because: str) -> None: ...

    def go_for(self, version: str) -> None:
        self.goes_for = version


def in_place(good: str, bad: str) -> ServiceFacts:
    return ServiceFacts(
        good=good,
        bad=bad,
        desired=4,
        good_instances=0,
        bad_instances=4,
        shares={bad: 100},
        policy=Policy(),
        moves=Moves.CONTROLLER,
    )


async def test_the_least_bad_one_is_brought_up_again_in_place() -> None:
    other = Alternative(
        version="v0",
        digest="sha256:v0",
        because="older",
        phases=without_shares.phases(in_place("v0", "v1")),
    )
    goal = {"to_version": "v1", "phases": without_shares.phases(in_place("v1", "v2"))}
    plan = service_plan().model_copy(update={**goal, "alternatives": (other,)})
    steps, asked = StandInSteps(plan), list[str]()

    async def nothing() -> None: ...

    async def ask(number: int, record: StepRecord) -> str:
        raise Over

    course = Course(plan, steps, Undo(), nothing, ask, asked.append)  # type: ignore[arg-type]
    with pytest.raises(Over):
        await course.run()
    assert "v1 serves as the least bad" in asked[-1]
    assert steps.begun[-1].wanted == Capacity(version="v1", instances=4)
    assert (course.version, steps.goes_for) == ("v1", "v1")


def test_an_undo_goes_to_what_was_found_and_by_no_other_version() -> None:
    undo = Undo()
    for facts in (in_place("v1", "v2"), in_place("v0", "v1")):
        for phase in without_shares.phases(facts):
            for action in phase.actions:
                undo.note(action)
    assert [one.wanted for one in undo.actions()] == [Capacity(version="v2", instances=4)]
