"""A version is never scaled down where one controller keeps all: that would bring it up again."""

import dataclasses
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.step import Step
from activities.targets import VersionState
from activities.workloads import WorkloadActivities
from proof.stand_ins import StandInService
from rollback_manager.errors import Blocked
from rollback_manager.operation import Mark
from rollback_manager.plan import Action, Capacity, Reduced, Removed
from rollback_manager.progress import StepRecord, StepState
from rollback_manager.stays import Kept, Live
from tests.builders import service_plan


class InPlace(StandInService):
    """Its controller has v1, and one instance of v2 is left on a machine that is gone."""

    def versions(self) -> dict[str, VersionState]:
        found = super().versions()
        return {v: one.model_copy(update={"current": v == "v1"}) for v, one in found.items()}


class Deployed:
    """Owners as the second look finds them: somebody has deployed v3 meanwhile."""

    def __init__(self) -> None:
        self.looks = iter(("v2", "v3", "v3", "v3"))

    def live(self) -> Live:
        version = next(self.looks)
        return Live(kept=(Kept(name="shop", version=version, digest=version, replicas=4),))


def step_to(wanted: Reduced | Removed | Capacity) -> Step:
    return Step(
        env="prod",
        rollback="rollback/prod/k",
        plan=service_plan().model_copy(update={"phases": ()}),
        action=Action(wanted=wanted, timeout_s=0.3, check=""),
        mark=Mark(op_id="0123456789abcdef", epoch=1, step=1),
    )


def carried_out(wanted: Reduced | Removed) -> tuple[StepRecord, InPlace]:
    world = InPlace(shares_now={"v1": 100}, running={"v1": 4, "v2": 1}, not_ready={"v2": 1})
    activities = WorkloadActivities(lambda *_: world.target())
    name = "clean_up" if isinstance(wanted, Removed) else "stop_batch"
    record: StepRecord = ActivityEnvironment().run(getattr(activities, name), step_to(wanted))
    return record, world


def test_what_is_left_of_the_bad_version_is_waited_for() -> None:
    for wanted in (
        Removed(version="v2", kept="v1", instances=0),
        Reduced(version="v2", kept="v1", instances=0),
    ):
        record, world = carried_out(wanted)
        assert record.state is StepState.INCONCLUSIVE
        assert record.because.endswith("1 instances still run")
        assert world.ledger == []


def test_a_deploy_that_begins_after_the_first_look_stops_the_write() -> None:
    world, owners = InPlace(shares_now={"v2": 100}, running={"v1": 0, "v2": 4}), Deployed()
    stands_in: Any = owners
    target = dataclasses.replace(world.target(), owners=stands_in)
    activities = WorkloadActivities(lambda *_: target)
    step = step_to(Capacity(version="v1", instances=4))
    with pytest.raises(Blocked, match="a deploy of v3 began meanwhile"):
        ActivityEnvironment().run(activities.prepare, step)
    assert world.ledger == []
