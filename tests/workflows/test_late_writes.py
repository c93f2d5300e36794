"""A write that Temporal gave up arrives after the end, and changes nothing any more."""

import asyncio

import pytest

from proof.stand_ins import Gate
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.progress import EndState, Result, State
from tests.rig import Rig


class FirstOnly(Gate):
    """Holds the first write of that name; all that come after it pass."""

    def __call__(self, name: str) -> None:
        """As its base, once."""
        if not self.reached.is_set():
            super().__call__(name)


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
@pytest.mark.parametrize("mode", AbortMode)
async def test_a_write_given_up_comes_too_late_for_an_aborted_rollback(
    made: Rig, mode: AbortMode
) -> None:
    made.world.before_write = late = FirstOnly("set_shares")
    rollback = await made.start()
    await asyncio.to_thread(late.reached.wait, 20)
    made.world.not_ready["v1"] = 3  # so the next attempt is refused by the guard
    await made.until(rollback, State.NEEDS_HUMAN)
    await rollback.abort(AbortCommand(mode=mode, by="anna", reason="enough"))
    await made.ends_as(rollback, EndState.RESTORED)
    before = list(made.world.ledger)
    late.open()
    async with asyncio.timeout(10):
        while not made.world.refused:
            await asyncio.sleep(0.05)
    assert made.world.shares_now == {"v2": 100}
    assert made.world.ledger == before
    assert not [write for write in before if write.changed]


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_write_given_up_comes_too_late_while_a_person_thinks(made: Rig) -> None:
    made.world.before_write = late = FirstOnly("set_shares")
    rollback = await made.start()
    await asyncio.to_thread(late.reached.wait, 20)
    made.world.not_ready["v1"] = 3  # so the next attempt is refused by the guard
    await made.until(rollback, State.NEEDS_HUMAN)
    async with asyncio.timeout(10):
        while not made.world.ledger:  # the seal, which nobody had to ask for
            await asyncio.sleep(0.05)
    late.open()
    async with asyncio.timeout(10):
        while not made.world.refused:
            await asyncio.sleep(0.05)
    assert made.world.shares_now == {"v2": 100}
    made.world.not_ready["v1"] = 0
    answered = await made.answer(rollback, "retry_step", "prepare")
    assert answered.applied, answered
    assert (await made.ends_as(rollback, EndState.ROLLED_BACK)).result is Result.VERIFIED
