"""Workers come and go, targets and records are away for a while: each effect stands once."""

import asyncio
from dataclasses import replace

import pytest

from activities.integrations.sql import engine_for
from proof.stand_ins import FailsAtFirst, Gate, InterruptedRecords
from rollback_manager.errors import Unreachable
from rollback_manager.progress import EndState, Result
from tests.rig import Rig
from tests.workflows.holding import STEPS, held_in

ORDINARY = ["shares {'v1': 100}", "v2 × 0"]
AWAY = Unreachable("no answer", retry_after_s=0.1)


@pytest.mark.parametrize("step", STEPS[:4])
async def test_another_worker_goes_on_where_the_first_one_left(unmanned: Rig, step: str) -> None:
    async with unmanned.worker():
        held = await held_in(unmanned, step)
    held.let_go()
    async with unmanned.worker():
        outcome = await unmanned.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    before = ["v1 × 3"] if step == "prepare" else []
    assert [write.what for write in unmanned.world.ledger] == before + ORDINARY


async def test_a_worker_that_leaves_within_a_write_lets_it_reach_its_end(unmanned: Rig) -> None:
    unmanned.world.before_write = gate = Gate("set_shares")
    async with unmanned.worker() as _:
        rollback = await unmanned.start()
        await asyncio.to_thread(gate.reached.wait, 20)
        asyncio.get_running_loop().call_later(0.3, gate.open)  # while the worker shuts down
    async with unmanned.worker():
        outcome = await unmanned.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [write.what for write in unmanned.world.ledger] == ORDINARY


@pytest.mark.parametrize("write", ["set_shares", "scale"])
async def test_a_target_that_is_away_for_a_while_is_asked_again(made: Rig, write: str) -> None:
    made.world.before_write = FailsAtFirst(write, AWAY, 2)
    outcome = await made.ends_as(await made.start(), EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    attempts = {str(step.kind): step.attempt for step in outcome.services[0].steps}
    assert attempts["redirect_traffic" if write == "set_shares" else "clean_up"] == 3
    assert [write.what for write in made.world.ledger] == ORDINARY


@pytest.mark.parametrize("write", ["set_shares", "scale"])
async def test_a_write_whose_answer_was_lost_is_not_made_again(made: Rig, write: str) -> None:
    made.world.after_write = FailsAtFirst(write, AWAY, 1)
    outcome = await made.ends_as(await made.start(), EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [write.what for write in made.world.ledger] == ORDINARY


async def test_a_write_that_is_not_seen_yet_is_known_by_its_mark(made: Rig) -> None:
    made.world.after_write = FailsAtFirst("set_shares", AWAY, 1)
    made.world.late_looks = 3
    outcome = await made.ends_as(await made.start(), EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [write.what for write in made.world.ledger] == ORDINARY


@pytest.mark.parametrize("call", ["claim", "close"])
async def test_records_that_are_away_for_a_while_are_waited_for(unmanned: Rig, call: str) -> None:
    away = FailsAtFirst(call, AWAY, 3)
    records = InterruptedRecords(engine_for(unmanned.settings.records_url), away)
    async with replace(unmanned, records=records).at_work() as made:
        outcome = await made.ends_as(await made.start(), EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert away.left == 0
    assert len(made.records.past("test", made.service)) == 1


async def test_nothing_is_written_while_the_records_are_away(unmanned: Rig) -> None:
    gate = Gate("claim")
    records = InterruptedRecords(engine_for(unmanned.settings.records_url), gate)
    async with replace(unmanned, records=records).at_work() as made:
        rollback = await made.start()
        await asyncio.to_thread(gate.reached.wait, 20)
        assert not made.world.ledger
        gate.open()
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
