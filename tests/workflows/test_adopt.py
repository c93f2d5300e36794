"""What a rollback that was ended from outside left: nobody starts anew on it, a person goes on."""

import asyncio
import re

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from rollback_manager.claim import Claim, Left
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, AdoptRequest
from rollback_manager.errors import PermanentError
from rollback_manager.operation import Mark
from rollback_manager.progress import EndState, Result, RollbackOutcome
from rollback_manager.release import Standing
from tests.rig import PATIENCE_S, Rig, release
from tests.workflows.holding import Held, held_in


async def left_in(made: Rig, step: str, **request: object) -> Rollback:
    """A rollback whose service's workflow was terminated inside that step."""
    held = await held_in(made, step, **request)
    await end(made, held)
    return held.rollback


async def end(made: Rig, held: Held) -> None:
    """As the Web UI's button does it: no word to anybody, least of all to the activity."""
    await made.child().terminate("somebody pressed the button")
    outcome = await held.rollback.result()
    assert outcome.services[0].end is EndState.UNKNOWN
    held.let_go()


async def look(made: Rig, *, give_back: bool = False) -> Left:
    request = AdoptRequest(
        env="test", service=made.service, give_back=give_back, by="anna", reason="looked"
    )
    return await made.rollbacks.left(request)


async def adopt(made: Rig) -> Rollback:
    return await made.start(adopts=(await look(made)).claim.rollback)


async def refused(made: Rig, **request: object) -> RollbackOutcome:
    """The outcome of a start that was not let: no workflow of the service ever began."""
    rollback = await made.start(**request)
    outcome = await rollback.result()
    assert outcome.result is Result.BLOCKED
    assert outcome.services == ()
    assert len(await made.replay(rollback)) == 1
    return outcome


def claims(made: Rig) -> list[Claim]:
    return made.records.claims("test", made.service)


once = pytest.mark.parametrize("cached", [1000], ids=["cached"], indirect=True)
"""For what no order of commands depends on: that is replayed by the tests without it."""

STANDS = {
    "prepare": EndState.UNTOUCHED,
    "redirect_traffic": EndState.ROLLED_BACK,  # shifted, and not yet measured
    "clean_up": EndState.ROLLED_BACK,
}


@pytest.mark.parametrize(
    ("cached", "step"), [*((1000, step) for step in STANDS), (0, "prepare")], indirect=["cached"]
)
async def test_what_was_left_in_any_step_is_in_quarantine_until_it_is_adopted(
    made: Rig, step: str
) -> None:
    made.world.running["v0"] = 3  # the one that a fresh plan would take, with v1 as the bad one
    made.records.save_release("test", made.service, release("v0", Standing.VERIFIED, 90))
    orphan = await left_in(made, step)
    outcome = await refused(made)
    left = await look(made)
    # A claim that a cold worker's eviction made run twice has drawn two epochs: the newer counts.
    assert outcome.because.startswith(
        f"{made.service} is in quarantine: {orphan.id} left it at epoch {left.claim.epoch} on "
    )
    assert outcome.next_step.endswith(f": rollback-manager adopt {made.service} --env test")
    assert left.end is STANDS[step]
    assert left.claim.rollback == orphan.id
    assert (left.claim.purpose.from_version, left.claim.purpose.to_version) == ("v2", "v1")
    assert left.claim.purpose.digest == (await orphan.status()).digest
    adopter = await made.start(adopts=orphan.id)
    ended = await made.ends_as(adopter, EndState.ROLLED_BACK)
    assert ended.result is Result.VERIFIED
    assert ended.services[0].adopted == orphan.id
    taken = re.search(rf"goes on from {orphan.id}, at epoch (\d+)$", ended.services[0].commands[0])
    assert taken
    assert int(taken[1]) > left.claim.epoch
    assert made.world.shares_now == {"v1": 100}
    assert made.world.running["v2"] == 0
    assert claims(made) == []
    standing = {r.version: r.standing for r in made.records.releases("test", made.service)}
    assert standing["v1"] is Standing.VERIFIED
    assert standing["v2"] is Standing.BAD


@once
async def test_a_deleted_lock_is_not_a_free_one_also_for_another_worker(unmanned: Rig) -> None:
    async with unmanned.at_work() as made:
        held = await held_in(made, "drain")
        await _deleted(made)
        held.let_go()
        await held.rollback.result()
    async with unmanned.at_work() as made:
        assert (await refused(made)).because.startswith(f"{made.service} is in quarantine: ")
        ended = await made.ends_as(await adopt(made), EndState.ROLLED_BACK)
        assert ended.result is Result.VERIFIED


async def _deleted(made: Rig) -> None:
    seen = await made.child().describe()
    await made.client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=made.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=seen.id, run_id=seen.run_id),
        )
    )
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await made.child().describe()
            except RPCError:
                return
            await asyncio.sleep(0.05)


@once
async def test_whoever_runs_blocks_all_others_by_its_id_also_after_the_shift(made: Rig) -> None:
    held = await held_in(made, "drain")
    holder = f"{made.service} is being rolled back already: {held.rollback.id} holds it since "
    outcome = await refused(made)
    assert outcome.because.startswith(holder)
    assert outcome.effect == "This call changed nothing; the other rollback goes on."
    assert (await refused(made, adopts=held.rollback.id)).because.startswith(holder)
    with pytest.raises(PermanentError, match="is being rolled back already"):
        await look(made)
    with pytest.raises(PermanentError, match="is being rolled back already"):
        await look(made, give_back=True)
    held.let_go()
    await made.ends_as(held.rollback, EndState.ROLLED_BACK)
    with pytest.raises(PermanentError, match="there is nothing to adopt") as caught:
        await look(made)
    assert caught.value.next_step.endswith(f"rollback-manager start {made.service} --env test")
    assert "left nothing" in (await refused(made, adopts=held.rollback.id)).because


@once
async def test_of_two_that_adopt_at_once_one_goes_on(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, lambda status: bool(claims(made)))
        await end(made, Held(rollback, lambda: None))
        both = await asyncio.gather(*(made.start(adopts=rollback.id) for _ in range(2)))
        ends = [asyncio.create_task(one.result()) for one in both]
        done, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == len(pending) == 1
        blocked = done.pop().result()
        assert blocked.result is Result.BLOCKED
        assert "is being rolled back already" in blocked.because
        (winner,) = [one for one in both if one.id != blocked.rollback]
        await winner.abort(AbortCommand(by="anna"))
        ended = await made.ends_as(winner, EndState.UNTOUCHED)
        assert ended.services[0].adopted == rollback.id
        assert claims(made) == []


@once
async def test_an_adopter_that_is_ended_too_is_adopted_with_all_before_it(made: Rig) -> None:
    first = await left_in(made, "prepare")
    second = await left_in(made, "drain", adopts=first.id)
    assert [claim.rollback for claim in claims(made)] == [first.id, second.id]
    left = await look(made)
    assert left.claim.rollback == second.id
    assert [claim.rollback for claim in left.older] == [first.id]
    ended = await made.ends_as(await adopt(made), EndState.ROLLED_BACK)
    assert ended.services[0].adopted == second.id
    epoch = ended.services[0].epoch
    assert epoch is not None
    assert epoch >= 3, "more where a task was lost and its claim was made again"
    assert claims(made) == []


@once
async def test_records_that_are_behind_the_target_are_drawn_above_it_and_that_is_told(
    made: Rig,
) -> None:
    await left_in(made, "prepare")
    made.world.mark = made.world.scale_mark = Mark(op_id="0" * 16, epoch=7, step=1)
    ended = await made.ends_as(await adopt(made), EndState.ROLLED_BACK)
    assert ended.result is Result.VERIFIED
    epoch = ended.services[0].epoch
    assert epoch is not None
    assert epoch >= 8, "more where a task was lost and its claim was made again"
    assert (
        "the target carried epoch 7 and the records were behind it"
        in (ended.services[0].commands[1])
    )


@once
async def test_what_is_given_back_stays_as_it_stands_and_may_be_rolled_back_again(
    made: Rig,
) -> None:
    orphan = await left_in(made, "prepare")
    left = await look(made, give_back=True)
    assert left.given_back
    assert len({write.mark.epoch for write in made.world.ledger}) == 1
    assert made.world.shares_now == {"v2": 100}
    assert claims(made) == []
    assert len(made.records.past("test", made.service)) == 1
    ended = await made.ends_as(await made.start(), EndState.ROLLED_BACK)
    assert ended.result is Result.VERIFIED
    assert ended.services[0].adopted == ""
    assert "left nothing" in (await refused(made, adopts=orphan.id)).because


@once
async def test_nobody_goes_on_where_another_version_has_traffic_since(made: Rig) -> None:
    orphan = await left_in(made, "prepare")
    made.world.running["v3"] = 3
    made.world.shares_now = {"v2": 50, "v3": 50}
    outcome = await refused(made, adopts=orphan.id)
    assert "v3 has traffic" in outcome.because
    assert outcome.next_step.endswith("--give-back")
    assert (await look(made)).end is EndState.MIXED


@once
async def test_a_restore_after_adoption_puts_back_what_adoption_found(unmanned: Rig) -> None:
    async with unmanned.at_work() as made:
        orphan = await left_in(made, "prepare")
        held = await held_in(made, "drain", adopts=orphan.id)
        await held.rollback.abort(AbortCommand.model_validate({"mode": "restore", "by": "anna"}))
        ended = await made.ends_as(held.rollback, EndState.RESTORED)
        assert ended.result is Result.ABORTED
        assert claims(made) == []
