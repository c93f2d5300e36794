"""After a rollback: the checks, the page with a name, and the hold that is given back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from rollback_manager.authority.token import Dec
from rollback_manager.contract import (
    STAY_WORKFLOW,
    AbortCommand,
    AbortMode,
    Decision,
    ReleaseHold,
    stay_id,
)
from rollback_manager.progress import EndState, Result, State
from rollback_manager.rendering import terminal_stays
from rollback_manager.report import build
from rollback_manager.stays import StayStatus, Verdict
from starters.history import entries
from tests import rig
from tests.rig import Rig, replayer
from tests.secured import hold, secured_rig, vote
from tests.workflows.holding import held_in
from tests.workflows.owned import OWNER, StandInOwners, owned

SHORT: dict[str, object] = {"stay_checks_s": (0.3, 0.6, 0.9)}
WITHIN_S = 40


@pytest.fixture
async def unmanned(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """No worker runs so far: each test has one of a policy of its own."""
    async with rig.rig(client, tmp_path, cached=cached, manned=False) as one:
        yield one


def handle(made: Rig) -> WorkflowHandle[object, StayStatus]:
    return made.client.get_workflow_handle(stay_id("test", made.service))


async def until(made: Rig, holds: Callable[[StayStatus], bool]) -> StayStatus:
    deadline = time.monotonic() + WITHIN_S
    while True:
        status: StayStatus = await handle(made).query("status", result_type=StayStatus)
        if holds(status):
            return status
        assert time.monotonic() < deadline, status.model_dump_json()
        await asyncio.sleep(0.2)


def due(status: StayStatus) -> list[Verdict]:
    return [one.stayed.verdict for one in status.checks if one.due]


async def verified(made: Rig, owners: StandInOwners) -> None:
    rollback = await made.start()
    outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED, outcome
    assert outcome.services[0].steps[0].kind == "hold_owner"
    assert owners.held


async def replay(made: Rig) -> None:
    await replayer().replay_workflow(await handle(made).fetch_history())


async def test_it_is_checked_three_times_and_given_back_once_git_agrees(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    owners.agreed = True
    async with made.at_work(**SHORT) as run:
        await verified(run, owners)
        ended = await until(run, lambda one: one.state == State.FINISHED)
        await replay(run)
    assert due(ended) == [Verdict.STAYS] * 3
    assert not owners.held
    assert set(owners.denied) == {"v2"}, "twice where the answer was lost"
    assert ended.held == ()


async def test_the_hold_stays_until_a_person_lets_it_go(
    unmanned: Rig,
) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT) as run:
        await verified(run, owners)
        await until(run, lambda one: len(due(one)) == 3)
        assert owners.held
        command = ReleaseHold(by="anna", reason="git is mended")
        await handle(run).signal("release_hold", command)
        ended = await until(run, lambda one: one.state == State.FINISHED)
        await replay(run)
    assert not owners.held
    assert any("anna asked for it: git is mended" in note for note in ended.notes)


async def test_a_hold_is_let_go_by_a_signed_word_alone_where_words_are_signed(
    unmanned: Rig,
) -> None:
    owners = owned(unmanned.world)
    async with secured_rig(unmanned).at_work(**SHORT) as run:
        rollback = await run.start(requested_by="cy@example.com")
        asked = await run.until(rollback, State.WAITING_FOR_APPROVAL)
        agreed = vote(asked, Dec.APPROVE, "ana@example.com", time.time())
        await rollback.vote(Decision.APPROVE, agreed, vote_id="1")
        assert (await rollback.result()).result is Result.VERIFIED
        await until(run, lambda one: len(due(one)) == 3)
        first = (await handle(run).describe()).raw_description.workflow_execution_info.first_run_id
        command = ReleaseHold(by="bo@example.com", reason="git is mended")
        await handle(run).signal("release_hold")
        await handle(run).signal("release_hold", command)
        await handle(run).signal("release_hold", hold(run.service, "another", command))
        seen = await until(run, lambda one: sum("count" in note for note in one.notes) == 3)
        assert owners.held, seen.notes
        await handle(run).signal("release_hold", hold(run.service, first, command))
        await until(run, lambda one: one.state == State.FINISHED)
        await replay(run)
    assert not owners.held


async def test_nobody_has_what_they_name_given_back_without_a_rollback(unmanned: Rig) -> None:
    owners = owned(unmanned.world)
    async with unmanned.at_work(**SHORT) as run:
        await verified(run, owners)
        staying = (await until(run, lambda one: len(due(one)) == 3)).staying
        await handle(run).terminate()
        forged = staying.model_copy(update={"release_on_expiry": True, "hold_s": 0.0})
        with pytest.raises(WorkflowFailureError) as refused:
            await run.client.execute_workflow(
                STAY_WORKFLOW,
                forged,
                id=stay_id("test", run.service),
                task_queue=run.settings.task_queue,
            )
        assert "only a rollback" in str(refused.value.cause)
        assert owners.held


async def test_a_hold_that_is_too_old_is_said_loudly_and_stays(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT, hold_s=2) as run:
        await verified(run, owners)
        paged = await until(run, lambda one: one.state == State.NEEDS_HUMAN)
        await asyncio.sleep(1)
        assert owners.held, "it was let loose by itself"
        await handle(run).signal("release_hold", ReleaseHold(by="anna"))
        await until(run, lambda one: one.state == State.FINISHED)
        await replay(run)
    assert "OutOfSync" in paged.waits_for
    assert OWNER.by_hand in paged.next_step


async def test_a_hold_is_let_go_at_its_end_where_the_policy_says_so(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT, hold_s=2, release_on_expiry=True) as run:
        await verified(run, owners)
        await until(run, lambda one: one.state == State.FINISHED)
    assert not owners.held


async def test_a_reversal_pages_with_the_name_until_it_is_over(
    unmanned: Rig,
) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT) as run:
        await verified(run, owners)
        made.world.shares_now, owners.stranger = {"v2": 100}, "argocd-controller"
        paged = await until(run, lambda one: one.state == State.NEEDS_HUMAN)
        assert "argocd-controller" in paged.waits_for
        assert "v2 serves 100 % of the traffic again" in paged.waits_for
        (listed,) = [
            one for one in await made.rollbacks.stays(env="test") if one.staying == paged.staying
        ]
        assert "NEEDS YOU" in terminal_stays.after([listed])
        told = build(await entries(made.client, paged.staying.rollback)).after
        assert any("argocd-controller" in moment.text for moment in told)
        made.world.shares_now, owners.agreed = {"v1": 100}, True
        await until(run, lambda one: one.state == State.FINISHED)
        await replay(run)


async def test_an_owner_that_is_let_loose_by_others_pages(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT) as run:
        await verified(run, owners)
        owners.held = False
        paged = await until(run, lambda one: one.state == State.NEEDS_HUMAN)
    assert "let loose, and not by us: its auto-sync is on" in paged.waits_for


async def test_a_newer_rollback_takes_over(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT) as run:
        await verified(run, owners)
        owners.epoch = 1000
        ended = await until(run, lambda one: one.state == State.FINISHED)
    assert ended.checks[-1].stayed.verdict is Verdict.SUPERSEDED
    assert owners.held, "what the newer one holds is not let go"


async def test_restore_gives_back_and_nothing_is_looked_after(made: Rig) -> None:
    owners = owned(made.world)
    held = await held_in(made, "clean_up")
    await held.rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
    await made.told("abort")
    held.let_go()
    outcome = await held.rollback.result()
    assert outcome.services[0].end is EndState.RESTORED
    assert not owners.held
    found = [
        one.id async for one in made.client.list_workflows(f"WorkflowId = '{handle(made).id}'")
    ]
    assert found == []


async def test_a_stopped_rollback_whose_owner_is_held_is_looked_after(made: Rig) -> None:
    owners = owned(made.world)
    held = await held_in(made, "redirect_traffic")
    await held.rollback.abort(AbortCommand(mode=AbortMode.HOLD, by="anna"))
    await made.told("abort")
    held.let_go()
    await held.rollback.result()
    assert owners.held
    status = await until(made, lambda _: True)
    assert status.held == (OWNER.name,)
    await handle(made).signal("release_hold", ReleaseHold(by="anna"))
    await until(made, lambda one: not one.held)
    assert not owners.held


@pytest.mark.long
@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_newer_release_leaves_nobody_held_for_ever(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT) as run:
        await verified(run, owners)
        made.world.shares_now = {"v3": 100}
        await until(run, lambda one: Verdict.SUPERSEDED in {c.stayed.verdict for c in one.checks})
        assert owners.held
        owners.agreed = True
        ended = await until(run, lambda one: one.state == State.FINISHED)
        await replay(run)
    assert not owners.held
    assert ended.held == ()


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_reversal_that_nobody_answers_costs_no_event_after_the_hold(unmanned: Rig) -> None:
    made = unmanned
    owners = owned(made.world)
    async with made.at_work(**SHORT, hold_s=3) as run:
        await verified(run, owners)
        made.world.shares_now = {"v2": 100}
        await until(run, lambda one: one.state == State.NEEDS_HUMAN)
        await handle(run).signal("release_hold", ReleaseHold(by="anna"))
        await until(run, lambda one: not one.held)
        await asyncio.sleep(6)
        assert (await handle(run).describe()).history_length < 150
