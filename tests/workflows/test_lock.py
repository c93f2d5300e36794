"""One rollback per service at a time, one per key for ever, and a late one never wins."""

import asyncio

from proof.stand_ins import Gate
from rollback_manager.contract import AbortCommand
from rollback_manager.progress import EndState, Result, State
from rollback_manager.release import Standing
from tests.rig import Rig, release
from tests.workflows.holding import held_in


async def test_of_two_at_the_same_instant_exactly_one_runs(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        for _ in range(10 if made.cached else 3):
            both = await asyncio.gather(made.start(), made.start())
            ends = [asyncio.create_task(rollback.result()) for rollback in both]
            done, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            assert len(done) == len(pending) == 1
            blocked = done.pop().result()
            assert blocked.result is Result.BLOCKED
            assert blocked.because.startswith(f"{made.service} is being rolled back already: ")
            assert blocked.services == ()
            (holder,) = [r for r in both if r.id != blocked.rollback]
            await holder.abort(AbortCommand(by="anna"))
            assert (await made.ends_as(holder, EndState.UNTOUCHED)).result is Result.ABORTED
        assert not made.world.ledger


async def test_the_one_that_is_blocked_leaves_the_other_alone(made: Rig) -> None:
    held = await held_in(made, "prepare")
    late = await made.start()
    assert (await late.result()).result is Result.BLOCKED
    assert (await late.result()).effect == (
        "This call changed nothing; the other rollback goes on."
    )
    await made.replay(late)
    held.let_go()
    outcome = await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    epochs = {write.mark.epoch for write in made.world.ledger}
    assert len(epochs) == 1, "one claim wrote, which may have been made again where a task was lost"


async def test_the_same_key_again_is_the_same_rollback(made: Rig) -> None:
    key = f"night-{made.service}"
    first, again = await asyncio.gather(made.start(key=key), made.start(key=key))
    assert first.id == again.id
    outcome = await made.ends_as(first, EndState.ROLLED_BACK)
    late = await made.start(key=key)  # after its end: the answer is how it ended
    assert await late.result() == await again.result() == outcome
    assert [write.what for write in made.world.ledger] == ["shares {'v1': 100}", "v2 × 0"]


async def test_a_second_rollback_never_goes_to_the_one_just_undone(unmanned: Rig) -> None:
    unmanned.world.running["v0"] = 3
    unmanned.records.save_release("test", unmanned.service, release("v0", Standing.VERIFIED, 90))
    async with unmanned.at_work() as made:
        await made.ends_as(await made.start(), EndState.ROLLED_BACK)
        second = await made.start()
        outcome = await second.result()
        assert outcome.result is Result.VERIFIED
        assert made.world.shares_now == {"v0": 100}
        assert outcome.services[0].found is not None
        assert outcome.services[0].found.shares == {"v0": 100}
        assert (outcome.services[0].epoch or 0) >= 2  # a claim drawn twice leaves a gap
        await made.replay(second)
    standing = {r.version: r.standing for r in made.records.releases("test", made.service)}
    assert standing == {"v0": Standing.VERIFIED, "v1": Standing.BAD, "v2": Standing.BAD}


async def test_a_frozen_write_of_an_older_rollback_is_refused_at_the_target(made: Rig) -> None:
    made.world.before_write = gate = Gate("set_shares")
    frozen = await made.start()
    await asyncio.to_thread(gate.reached.wait, 20)
    await made.child().terminate("the lock is free now")
    assert (await frozen.result()).services[0].end is EndState.UNKNOWN
    made.world.before_write = lambda _: None
    newer = await made.start(adopts=frozen.id)
    epoch = (await made.ends_as(newer, EndState.ROLLED_BACK)).services[0].epoch
    assert epoch is not None
    assert epoch >= 2
    made.world.shares_now = {"v2": 100}  # a person knows better meanwhile
    gate.open()
    async with asyncio.timeout(10):
        while len(made.world.ledger) + made.world.refused < 3:
            await asyncio.sleep(0.05)
    assert made.world.shares_now == {"v2": 100}
    assert {write.mark.epoch for write in made.world.ledger} == {epoch}, (
        "the claim may be made again where a task was lost"
    )
    assert made.world.refused == 1
    await made.replay(frozen)


async def test_the_lock_is_held_while_a_person_is_asked(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        assert (await (await made.start()).result()).result is Result.BLOCKED
        await made.approve(rollback)
        assert (await made.ends_as(rollback, EndState.ROLLED_BACK)).result is Result.VERIFIED
