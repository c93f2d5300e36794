"""Pause and resume: at the boundary of a step, before an approval, and never against an abort."""

from rollback_manager.contract import AbortCommand, AbortMode, PauseCommand
from rollback_manager.progress import EndState, Result, RollbackStatus, State
from tests.rig import Rig, steps_of
from tests.workflows.holding import held_in

ANNA = PauseCommand(by="anna")


def is_paused(status: RollbackStatus) -> bool:
    return any(service.state is State.PAUSED for service in status.services)


async def test_a_pause_waits_after_the_step_under_way_and_goes_on_when_told(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    await held.rollback.pause(ANNA)
    await made.told("pause")
    held.let_go()
    status = await made.until(held.rollback, is_paused)
    assert list(steps_of(status).values()) == ["done", "done", "planned", "planned", "planned"]
    assert status.services[0].waits_for == "resume"
    await held.rollback.resume(ANNA)
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert outcome.services[0].commands == ("pause by anna", "resume by anna")


async def test_a_pause_before_the_approval_holds_the_first_step(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await rollback.pause(ANNA)
        assert (await made.approve(rollback)).applied
        status = await made.until(rollback, is_paused)
        assert set(steps_of(status).values()) == {"planned"}
        assert not made.world.ledger
        await rollback.resume(ANNA)
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def test_a_pause_while_the_plan_is_made_holds_the_first_step(unmanned: Rig) -> None:
    rollback = await unmanned.start()
    await rollback.pause(ANNA)
    async with unmanned.at_work() as made:
        await made.until(rollback, is_paused)
        assert not made.world.ledger
        await rollback.resume(ANNA)
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def test_an_abort_ends_a_pause(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    await held.rollback.pause(ANNA)
    await made.told("pause")
    held.let_go()
    await made.until(held.rollback, is_paused)
    await held.rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="bob"))
    outcome = await made.ends_as(held.rollback, EndState.RESTORED)
    assert outcome.result is Result.ABORTED


async def test_a_pause_and_a_resume_in_one_task_cost_nothing(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    await held.rollback.pause(ANNA)
    await held.rollback.resume(ANNA)
    await made.told("resume")
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
