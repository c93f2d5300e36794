"""What older builds left behind is replayed by this one, without a server."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from rollback_manager.contract import Decision, Vote
from rollback_manager.progress import EndState, Result, State
from tests import rig
from tests.record_histories import ASKED, COURSES, FOLDER, INCIDENTS
from tests.rig import PATIENCE_S, Rig, replayer
from tests.workflows.other_build import LooksBeforeItClaims
from workers import plugin
from workers.plugin import PASSED_THROUGH, WORKFLOWS
from workflows.service_rollback import ServiceRollbackWorkflow

HISTORIES = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> WorkflowHistory:
    """A recorded history under the id that it had."""
    events = json.loads(path.read_text(encoding="utf-8"))
    started = events["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], events)


def test_there_is_a_history_of_every_end() -> None:
    names = {path.name.split(".")[0] for path in HISTORIES}
    assert names == {*COURSES, *INCIDENTS}, "record it: python -m tests.record_histories"


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


WRONG = [LooksBeforeItClaims if one is ServiceRollbackWorkflow else one for one in WORKFLOWS]
"""The workflows of a build that must never be deployed."""


async def test_a_build_with_another_order_of_commands_is_caught_by_the_corpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin, "WORKFLOWS", WRONG)
    caught = set()
    for path in HISTORIES:
        replayed = await replayer().replay_workflow(read(path), raise_on_replay_failure=False)
        if replayed.replay_failure is not None:
            assert "Nondeterminism" in str(replayed.replay_failure)
            caught.add(path)
    assert caught == set(FOLDER.glob("*.service.json")), "those that it changed, and no others"


async def test_a_rollback_that_such_a_build_has_wedged_goes_on_once_the_good_one_is_back(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig, "TASK", timedelta(seconds=3))  # its first failure alone is reported
    async with rig.rig(client, tmp_path, cached=0, policy=ASKED, manned=False) as made:
        async with made.worker():
            rollback = await made.start()
            waiting = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        vote = Vote(plan=waiting.digest, by="anna")
        with monkeypatch.context() as deployed:
            deployed.setattr(plugin, "WORKFLOWS", WRONG)
            async with made.worker():
                await rollback.vote(Decision.APPROVE, vote, vote_id="1")
                await _wedged(made)
        assert not made.world.ledger, "it stands still, and changes nothing"
        async with made.worker():
            outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def _wedged(made: Rig) -> None:
    """Until anybody who describes the service's workflow sees that its task fails, and why."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            seen = (await made.child().describe()).raw_description
            if seen.pending_workflow_task.attempt > 1:
                break
            await asyncio.sleep(0.05)
    last = (await made.child().fetch_history()).events[-1]
    assert last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    cause = last.workflow_task_failed_event_attributes.cause
    assert cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
