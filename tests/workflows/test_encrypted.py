"""With encryption on everything works, history says nothing, and nothing unencrypted gets in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.converter import WorkflowSerializationContext
from temporalio.worker import Replayer

from rollback_manager.client.converter import converter
from rollback_manager.contract import AbortCommand, AbortMode, Vote
from rollback_manager.progress import Result, State
from rollback_manager.report import build
from starters.history import entries
from tests import keys, rig
from tests.canaries import Canaries, of_history
from tests.rig import Rig
from workers.plugin import plugin

ASKS: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}


@pytest.fixture(params=[1000], ids=["cached"])
def cached(request: pytest.FixtureRequest) -> int:
    """Once is enough: the rotation of its key runs without a cache."""
    size: int = request.param
    return size


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    return keys.write(tmp_path / "codec.json")


@pytest.fixture
async def encrypted(client: Client, keyring: Path) -> Client:
    config = client.config(active_config=True)
    config["data_converter"] = converter(keys.ring(keyring), client.namespace)
    return Client(**config)


@pytest.fixture
async def made(encrypted: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    async with rig.rig(encrypted, tmp_path, cached=cached, policy=ASKS) as one:
        yield one


async def test_a_whole_rollback_leaves_a_history_that_says_nothing(made: Rig) -> None:
    planted = Canaries()
    reason, comment = planted["a reason"], planted["a comment"]
    rollback = await made.start(reason=reason)
    await made.until(rollback, State.WAITING_FOR_APPROVAL)
    await made.approve(rollback, reason=comment)
    assert (await rollback.result()).result is Result.VERIFIED
    histories = await made.histories(rollback)
    assert len(histories) == 2
    for history in histories:
        said = of_history(history)
        assert not planted.found_in({"history": said})
        assert b"requested_by" not in said
    replayer = Replayer(
        workflows=[],
        namespace=made.client.namespace,  # payloads are bound to it
        plugins=[plugin(data_converter=made.client.data_converter)],
    )
    for history in histories:
        await replayer.replay_workflow(history)
    report = build(await entries(made.client, rollback.id))
    assert (report.request.reason, report.decisions[0].reason) == (reason, comment)


async def test_an_unencrypted_signal_is_dropped_and_holds_nothing_up(
    client: Client, made: Rig
) -> None:
    rollback = await made.start()
    await made.until(rollback, State.WAITING_FOR_APPROVAL)
    plain = client.get_workflow_handle(rollback.id)
    await plain.signal("abort", AbortCommand(mode=AbortMode.HOLD, by="eve"))
    await made.approve(rollback)
    assert (await rollback.result()).result is Result.VERIFIED


async def test_an_unencrypted_update_is_refused(client: Client, made: Rig) -> None:
    rollback = await made.start()
    status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    vote = Vote(plan=status.digest, by="eve")
    with pytest.raises(WorkflowUpdateFailedError):
        await client.get_workflow_handle(rollback.id).execute_update("reject", vote)
    await made.approve(rollback)
    assert (await rollback.result()).result is Result.VERIFIED


async def test_a_vote_cut_from_another_rollback_is_dropped(made: Rig, client: Client) -> None:
    """The very payload of a rightful message, sent to a workflow it was not meant for."""
    rollback = await made.start()
    await made.until(rollback, State.WAITING_FOR_APPROVAL)
    elsewhere = WorkflowSerializationContext(client.namespace, "rollback/test/another")
    stolen = await made.client.data_converter.with_context(elsewhere).encode([AbortCommand()])
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=rollback.id),
            signal_name="abort",
            input=Payloads(payloads=stolen),
        )
    )
    await made.approve(rollback)
    assert (await rollback.result()).result is Result.VERIFIED
