"""What older builds left behind is replayed by this one, without a server."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from tests.record_histories import COURSES, FOLDER
from tests.rig import replayer
from workers.plugin import PASSED_THROUGH, WORKFLOWS

HISTORIES = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> WorkflowHistory:
    """A recorded history under the id that it had."""
    events = json.loads(path.read_text(encoding="utf-8"))
    started = events["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], events)


def test_there_is_a_history_of_every_end() -> None:
    names = {path.name.split(".")[0] for path in HISTORIES}
    assert names == set(COURSES), "record it: python -m tests.record_histories"


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name)
async def test_a_recorded_history_is_replayed(path: Path) -> None:
    await replayer().replay_workflow(read(path))


async def test_a_changed_order_of_commands_is_noticed() -> None:
    """Otherwise the tests above would prove nothing."""
    history = read(FOLDER / "verified.service.json")
    activities = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    activities[0].activity_type.name, activities[1].activity_type.name = (
        activities[1].activity_type.name,
        activities[0].activity_type.name,
    )
    with pytest.raises(Exception, match="Nondeterminism"):
        await replayer().replay_workflow(history)


async def test_the_workflows_import_nothing_into_the_sandbox_by_accident() -> None:
    strict = SandboxRestrictions.default.with_passthrough_modules(
        *PASSED_THROUGH
    ).with_import_notification_policy(
        SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    workflows: Sequence[type] = WORKFLOWS
    own = Replayer(
        workflows=workflows,
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=strict),
    )
    for path in HISTORIES:
        await own.replay_workflow(read(path))
