"""Abort by hold and by restore, inside every step: what is left, and that it is declared."""

import asyncio
import time
from dataclasses import replace

import pytest

from activities.integrations.sql import engine_for
from proof.stand_ins import FailsAtFirst, Gate, InterruptedRecords
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.errors import Unreachable
from rollback_manager.progress import EndState, Result, State
from rollback_manager.release import Standing
from tests.rig import Rig
from tests.workflows.holding import STEPS, held_in

HOLD = AbortCommand(mode=AbortMode.HOLD, by="anna")
RESTORE = AbortCommand(mode=AbortMode.RESTORE, by="anna", reason="v1 is worse")
FLOOR = 2  # 66 % of 3


@pytest.mark.parametrize("step", ["redirect_traffic", "clean_up"])
async def test_hold_lets_a_write_reach_its_end_and_undoes_nothing(made: Rig, step: str) -> None:
    held = await held_in(made, step)
    await held.rollback.abort(HOLD)
    await made.told("abort")
    await made.until(held.rollback, lambda _: True)  # the service has dealt with it
    assert await made.running() == [step]
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == "hold by anna"
    assert outcome.services[0].steps[-1].state == "done"
    assert min(made.world.carrying) >= FLOOR
    removed = ["v2 × 0"] if step == "clean_up" else []
    assert [write.what for write in made.world.ledger] == ["shares {'v1': 100}", *removed]


@pytest.mark.parametrize("step", ["prepare", "drain", "verify"])
async def test_hold_reaches_a_step_that_waits_within_three_seconds(made: Rig, step: str) -> None:
    held = await held_in(made, step)  # and it is never let go
    asked_at = time.monotonic()
    await held.rollback.abort(HOLD)
    await held.rollback.result()
    assert time.monotonic() - asked_at <= 3
    end = EndState.RESTORED if step == "prepare" else EndState.ROLLED_BACK
    outcome = await made.ends_as(held.rollback, end)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == "hold by anna"
    assert outcome.services[0].steps[-1].state == "stopped"
    assert min(made.world.carrying) >= FLOOR
    written = "v1 × 3" if step == "prepare" else "shares {'v1': 100}"
    assert [write.what for write in made.world.ledger] == [written]


@pytest.mark.parametrize("step", STEPS)
async def test_restore_puts_everything_back_in_reverse(made: Rig, step: str) -> None:
    held = await held_in(made, step)
    await held.rollback.abort(RESTORE)
    await made.told("abort")
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.RESTORED)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == "restore by anna: v1 is worse"
    assert min(made.world.carrying) >= FLOOR
    back = ["shares {'v1': 100}", "shares {'v2': 100}"]
    assert {
        "prepare": ["v1 × 3"],
        "clean_up": [back[0], "v2 × 0", "v2 × 3", back[1]],
    }.get(step, back) == [write.what for write in made.world.ledger]
    standing = {r.version: r.standing for r in made.records.releases("test", made.service)}
    assert standing["v2"] is Standing.CANDIDATE  # nothing was undone, so nothing was proved


async def test_an_abort_ends_a_step_that_waits_to_be_tried_again(made: Rig) -> None:
    away = Unreachable("supervisord does not answer", retry_after_s=30)
    made.world.running["v1"], made.world.before_write = 0, FailsAtFirst("scale", away, 100)
    rollback = await made.start()
    await made.step_failed_once("prepare")
    await rollback.abort(HOLD)
    outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    status = await made.child_status()
    assert [str(step.state) for step in status.steps] == ["stopped"] + ["planned"] * 4


async def test_a_restore_onto_a_dead_side_is_refused_and_waits_for_a_person(made: Rig) -> None:
    held = await held_in(made, "drain")
    made.world.not_ready["v2"] = 3
    await held.rollback.abort(RESTORE)
    status = await made.until(held.rollback, State.NEEDS_HUMAN)
    assert "the guard forbids it: v2 is dead" in status.waits_for
    await held.rollback.abort(HOLD)
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == "hold by anna"
    assert [write.what for write in made.world.ledger] == ["shares {'v1': 100}"]


async def test_a_restore_goes_on_once_the_dead_side_is_mended(made: Rig) -> None:
    held = await held_in(made, "drain")
    made.world.not_ready["v2"] = 3
    await held.rollback.abort(RESTORE)
    await made.until(held.rollback, State.NEEDS_HUMAN)
    made.world.not_ready.clear()
    assert (await made.answer(held.rollback, "retry_step", "redirect_traffic")).applied
    outcome = await made.ends_as(held.rollback, EndState.RESTORED)
    assert outcome.result is Result.ABORTED


async def test_a_hold_stops_a_restore_before_its_next_step(made: Rig) -> None:
    held = await held_in(made, "clean_up")
    made.world.not_ready["v2"] = 3
    await held.rollback.abort(RESTORE)
    await made.told("abort")
    held.let_go()
    await made.step_runs("prepare")  # the undo of clean_up waits for instances
    await held.rollback.abort(HOLD)
    await made.told("abort", 2)
    made.world.not_ready.clear()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.services[0].because == "hold by anna"
    assert [write.what for write in made.world.ledger][-1] == "v2 × 3"


async def test_a_restore_after_a_hold_changes_nothing(made: Rig) -> None:
    held = await held_in(made, "redirect_traffic")
    await held.rollback.abort(HOLD)
    await held.rollback.abort(RESTORE)
    await made.told("abort", 2)
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.services[0].because == "hold by anna"


async def test_an_abort_while_the_plan_is_made_touches_nothing(unmanned: Rig) -> None:
    rollback = await unmanned.start()
    await rollback.abort(HOLD)
    async with unmanned.at_work() as made:
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert not unmanned.world.ledger


async def test_a_restore_that_comes_while_the_end_is_recorded_takes_the_record_back(
    unmanned: Rig,
) -> None:
    gate = Gate("close")
    records = InterruptedRecords(engine_for(unmanned.settings.records_url), gate)
    async with replace(unmanned, records=records).at_work() as made:
        rollback = await made.start()
        await asyncio.to_thread(gate.reached.wait, 20)  # v2 is marked bad by now
        await made.child().signal("abort", RESTORE)
        gate.open()
        outcome = await made.ends_as(rollback, EndState.RESTORED)
    assert outcome.result is Result.ABORTED
    standing = {r.version: r.standing for r in made.records.releases("test", made.service)}
    assert standing["v2"] is Standing.CANDIDATE
