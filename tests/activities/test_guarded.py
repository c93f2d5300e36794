"""A guard that cannot tell yet is asked again; only one that can is the person's."""

import re

import pytest
from temporalio.testing import ActivityEnvironment

from activities.step import Step
from activities.workloads import WorkloadActivities
from proof.stand_ins import StandInService
from rollback_manager import actions
from rollback_manager.errors import Blocked, TemporaryError
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark
from tests.builders import service_plan


class Restarted(StandInService):
    """Its counters were read once by this worker: nobody knows what is in flight."""

    settles = True

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        return super().snapshot(max_age_s).model_copy(update={"settles": self.settles})


def removal() -> Step:
    plan = service_plan()
    action = actions.remove("v2", "v1", 3, plan.policy)
    mark = Mark(op_id="0" * 16, epoch=1, step=4)
    return Step(env="test", rollback="r", plan=plan, action=action, mark=mark)


@pytest.mark.parametrize(("settles", "error"), [(True, TemporaryError), (False, Blocked)])
def test_what_one_reading_cannot_tell_is_read_again(settles: bool, error: type[Exception]) -> None:
    world = Restarted(shares_now={"v1": 100}, running={"v1": 4, "v2": 3}, in_flight={"v2": 1})
    world.settles = settles
    clean_up = WorkloadActivities(lambda *_: world.target()).clean_up
    with pytest.raises(error, match=re.escape("it still answers 1 requests")):
        ActivityEnvironment().run(clean_up, removal())
    assert world.running["v2"] == 3
