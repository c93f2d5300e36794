"""Messages as people, the Web UI and broken programs send them: none wedges a workflow."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from rollback_manager.contract import AbortCommand
from rollback_manager.progress import EndState, Result, State
from tests.rig import Rig
from tests.workflows.holding import held_in

UNREADABLE = [{"mode": "sideways"}, "hold", 7, b"\x00\xff", ["a", "list"]]


@pytest.mark.parametrize("arguments", [[], [{}]], ids=["none", "empty"])
@pytest.mark.parametrize("whom", ["rollback", "service"])
async def test_an_abort_without_words_holds(made: Rig, whom: str, arguments: list[object]) -> None:
    held = await held_in(made, "redirect_traffic")
    parent = made.client.get_workflow_handle(held.rollback.id)
    await (parent if whom == "rollback" else made.child()).signal("abort", args=arguments)
    await made.told("abort")
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because in {"hold by signal", "hold by unknown"}


async def test_an_abort_that_cannot_be_read_is_dropped_and_nothing_is_wedged(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    for handle in (made.client.get_workflow_handle(held.rollback.id), made.child()):
        for words in UNREADABLE:
            await handle.signal("abort", words)
    await made.told("abort", len(UNREADABLE))
    assert (await made.until(held.rollback, State.RUNNING)).services[0].state is State.RUNNING
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


@pytest.mark.parametrize("words", [[], [None], [b"\x00"]], ids=["none", "null", "bytes"])
async def test_no_signal_without_sense_wedges_a_workflow(made: Rig, words: list[object]) -> None:
    held = await held_in(made, "drain")
    parent = made.client.get_workflow_handle(held.rollback.id)
    for name in ("approve", "reject", "service_reports"):
        await parent.signal(name, args=words)
    for name in ("retry_step", "skip_step"):
        await made.child().signal(name, args=words)
    for handle in (parent, made.child()):
        await handle.signal("pause", args=words)
        await handle.signal("resume", args=words)
    forwarded = not any(words)  # without words a pause is a pause; bytes are nothing
    await made.told("resume", 2 if forwarded else 1)
    assert (await made.until(held.rollback, State.RUNNING)).decisions == ()
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def test_a_signal_with_more_arguments_than_it_takes_wedges_nobody(made: Rig) -> None:
    held = await held_in(made, "drain")
    await made.client.get_workflow_handle(held.rollback.id).signal("resume", args=[{}, {}])
    for name in ("go", "resume"):
        await made.child().signal(name, args=["x", "y"])
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def test_words_that_nobody_knows_do_not_matter(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    parent = made.client.get_workflow_handle(held.rollback.id)
    await parent.signal("no_such_signal", {"any": "thing"})
    await parent.signal("abort", {"mode": "restore", "by": "ui", "colour": "red"})
    await made.told("abort")
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.RESTORED)
    assert outcome.services[0].because == "restore by ui"


async def test_an_update_that_cannot_be_read_is_refused_and_nothing_is_wedged(
    unmanned: Rig,
) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        parent = made.client.get_workflow_handle(rollback.id)
        for words in ([], [None], [b"\x00"], [{"by": "eve"}], ["yes"], [7]):
            with pytest.raises(WorkflowUpdateFailedError):
                await parent.execute_update("approve", args=words)
            with pytest.raises(WorkflowUpdateFailedError):
                await made.child().execute_update("retry_step", args=words)
        await parent.signal("approve", "yes")
        assert (await made.until(rollback, State.WAITING_FOR_APPROVAL)).decisions == ()
        await made.approve(rollback)
        assert (await made.ends_as(rollback, EndState.ROLLED_BACK)).result is Result.VERIFIED


async def test_the_same_abort_ten_times_is_one(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    for _ in range(10):
        await held.rollback.abort(AbortCommand(by="anna"))
    await made.told("abort", 10)
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.ABORTED
    assert len(outcome.services[0].commands) == 10


async def test_steps_and_states_are_told_on_the_way_and_after_the_end(made: Rig) -> None:
    held = await held_in(made, "drain")
    status = await made.until(held.rollback, State.RUNNING)
    assert [(step.name, str(step.state)) for step in status.services[0].steps] == [
        ("prepare", "done"),
        ("redirect_traffic", "done"),
        ("drain", "running"),
        ("verify", "planned"),
        ("clean_up", "planned"),
    ]
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    status = await held.rollback.status()
    assert (status.state, status.outcome) == (State.FINISHED, outcome)
