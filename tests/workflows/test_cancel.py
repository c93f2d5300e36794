"""Temporal's own cancel and terminate, as its Web UI and CLI send them: a cancel means hold."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowExecutionStatus

from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.progress import EndState, Result, ServiceOutcome, State
from tests.rig import Rig, quick
from tests.workflows.holding import STEPS, held_in


@pytest.mark.parametrize("step", ["redirect_traffic", "drain"])
async def test_a_cancel_of_the_rollback_holds(made: Rig, step: str) -> None:
    held = await held_in(made, step)
    await made.client.get_workflow_handle(held.rollback.id).cancel()
    await made.told("abort")
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because.startswith("hold by temporal-cancel")


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_of_the_service_holds(made: Rig, step: str) -> None:
    held = await held_in(made, step)
    await made.child().cancel()
    await made.asked_to_cancel(made.child())
    held.let_go()
    end = EndState.RESTORED if step == "prepare" else EndState.ROLLED_BACK
    outcome = await made.ends_as(held.rollback, end)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because.startswith("hold by temporal-cancel")


async def test_a_cancel_before_any_worker_lives_touches_nothing(unmanned: Rig) -> None:
    rollback = await unmanned.start()
    await unmanned.client.get_workflow_handle(rollback.id).cancel()
    async with unmanned.at_work() as made:
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert not made.world.ledger


async def test_a_cancel_while_a_person_is_asked_touches_nothing(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await made.client.get_workflow_handle(rollback.id).cancel()
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED


async def test_a_cancel_does_not_stop_a_restore(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    await held.rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
    await made.told("abort")
    await made.child().cancel()
    await made.asked_to_cancel(made.child())
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.RESTORED)
    assert outcome.services[0].because == "restore by anna"


@pytest.mark.parametrize("first", ["cancel", "step"])
async def test_a_cancel_together_with_the_end_of_a_step_loses_neither(
    unmanned: Rig, first: str
) -> None:
    async with unmanned.activity_worker():
        async with unmanned.workflow_worker():
            held = await held_in(unmanned, "redirect_traffic")
        if first == "cancel":  # nobody takes workflow tasks: one will see both
            await unmanned.child().cancel()
        held.let_go()
        await unmanned.step_completed("redirect_traffic")
        if first == "step":
            await unmanned.child().cancel()
        async with unmanned.workflow_worker():
            outcome = await unmanned.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.ABORTED
    assert [str(step.state) for step in outcome.services[0].steps] == ["done", "done"]
    assert unmanned.world.ledger[-1].what == "shares {'v1': 100}"


async def test_a_cancel_together_with_the_end_of_the_service_keeps_its_outcome(
    unmanned: Rig,
) -> None:
    # The task that the service's worker fails comes again after a second, not after ten.
    unmanned = replace(unmanned, client=quick(unmanned.client))
    async with unmanned.worker():
        held = await held_in(unmanned, "verify")
    async with unmanned.worker_of_the_service_alone():
        held.let_go()
        await unmanned.child().result()
        handle = unmanned.client.get_workflow_handle(held.rollback.id)
        await handle.cancel()
    async with unmanned.worker():
        outcome = await unmanned.ends_as(held.rollback, EndState.ROLLED_BACK)
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    assert outcome.result is Result.VERIFIED


async def test_a_terminated_rollback_leaves_its_service_at_a_clean_hold(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    child = made.client.get_workflow_handle(made.child().id, result_type=ServiceOutcome)
    await made.client.get_workflow_handle(held.rollback.id).terminate("an operator")
    await made.asked_to_cancel(child)
    held.let_go()
    outcome = await child.result()
    assert outcome.aborted
    assert outcome.end is EndState.ROLLED_BACK
    assert outcome.found is not None
    assert outcome.found.shares == made.world.shares_now == {"v1": 100}
    assert len(outcome.steps) == 2
    assert len(made.records.past("test", made.service)) == 1
    await made.replay(held.rollback)


async def test_a_terminated_service_is_declared_unknown(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    await made.child().terminate("an operator")
    outcome = await asyncio.wait_for(held.rollback.result(), 10)
    held.let_go()
    assert outcome.services[0].end is EndState.UNKNOWN
    assert outcome.effect == "The state of production is unknown: look before you act."
    assert outcome.result is Result.NOT_VERIFIED
    await made.replay(held.rollback)
