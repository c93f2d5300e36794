"""Services that trip together are one question to a person, not as many rollbacks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey
from temporalio.worker import Worker

from proof.in_process import Fleet, fleet
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, budget_id
from rollback_manager.fleet.budget import Budget, BudgetAnswer
from rollback_manager.progress import EndState, Result, State
from tests.rig import replayer
from workers.failures import Failures
from workers.plugin import runner
from workflows import admission
from workflows.rollback import RollbackWorkflow
from workflows.service_rollback import ServiceRollbackWorkflow

BUDGET = 3
SERVICES = 30
PATIENCE_S = 60
STATE = SearchAttributeKey.for_keyword("RollbackState")
ALL = BudgetAnswer(by="anna", everything=True, reason="the database was slow")


@pytest.fixture
async def few(client: Client, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Four services whose environment lets one rollback begin by itself."""
    one = {"budget": 1, "budget_window_s": 600}
    async with fleet(client, tmp_path, services=4, fleet=one) as made:
        yield made


async def alerts(made: Fleet, **more: object) -> list[Rollback]:
    """One rollback of each service, as an alert starts it."""
    wanted = (made.start(service, trigger="alert", **more) for service in made.worlds)
    return list(await asyncio.gather(*wanted))


async def held(made: Fleet, count: int) -> Budget:
    """The budget once it holds so many."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            now_is = await made.rollbacks.budget(made.env).status()
            if len(now_is.held) == count:
                return now_is
            await asyncio.sleep(0.1)


async def listed_as(client: Client, made: Fleet) -> object:
    """The state by which Temporal's lists find the budget."""
    seen = await client.get_workflow_handle(budget_id(made.env)).describe()
    return seen.typed_search_attributes.get(STATE)


async def until(rollback: Rollback, holds: Callable[[str, str], bool]) -> None:
    """Until that holds of its state and of what it waits for."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status = await rollback.status()
            if holds(status.state, status.waits_for):
                return
            await asyncio.sleep(0.1)


def touched(made: Fleet) -> int:
    return sum(bool(world.ledger) for world in made.worlds.values())


def without_budget(made: Fleet) -> Worker:
    """A worker of the product that knows no budget: it fails each of its tasks."""
    return Worker(
        made.client,
        task_queue=made.settings.task_queue,
        workflows=[RollbackWorkflow, ServiceRollbackWorkflow],
        workflow_runner=runner(),
        activities=made.activities(),
        activity_executor=ThreadPoolExecutor(),
        interceptors=[Failures()],
    )


async def replay(made: Fleet, *ids: str) -> None:
    for one in ids:
        history = await made.client.get_workflow_handle(one).fetch_history()
        await replayer().replay_workflow(history)


async def test_of_thirty_triggered_together_three_run_and_the_rest_are_one_question(
    client: Client, tmp_path: Path
) -> None:
    limit = {"budget": BUDGET, "budget_window_s": 600}
    async with fleet(client, tmp_path, services=SERVICES, fleet=limit) as made, made.worker():
        rollbacks = await alerts(made)
        asked = await held(made, SERVICES - BUDGET)
        waiting = {one.rollback for one in asked.held}
        began = [rollback for rollback in rollbacks if rollback.id not in waiting]
        ends = [await rollback.result() for rollback in began]
        assert [end.result for end in ends] == [Result.VERIFIED] * BUDGET
        assert touched(made) == BUDGET
        async with asyncio.timeout(PATIENCE_S):  # it follows what the query says in a task later
            while await listed_as(client, made) != "needs_human":
                await asyncio.sleep(0.1)
        answer = await made.rollbacks.budget(made.env).answer("admit", ALL)
        assert (answer.applied, answer.because) == (True, f"{SERVICES - BUDGET} admitted")
        results = [(await rollback.result()).result for rollback in rollbacks]
        assert results == [Result.VERIFIED] * SERVICES
        assert touched(made) == SERVICES
        assert (await held(made, 0)).held == ()
        await replay(made, budget_id(made.env), asked.held[0].rollback, began[0].id)


async def test_a_held_one_says_so_and_what_it_waits_for(few: Fleet) -> None:
    async with few.worker():
        rollbacks = await alerts(few)
        asked = await held(few, 3)
        one = few.rollbacks.rollback(asked.held[0].rollback)
        await until(one, lambda state, _: state == State.HELD)
        assert (await one.status()).waits_for == (
            f"held by the budget: 1 in 600 s are used up; rollback-manager budget --env {few.env}"
        )
        async with asyncio.timeout(PATIENCE_S):
            while "held" not in {run.state for run in await few.rollbacks.list(env=few.env)}:
                await asyncio.sleep(0.1)
        await few.rollbacks.budget(few.env).answer("dismiss", ALL)
        assert {(await rollback.result()).result for rollback in rollbacks} == {
            Result.VERIFIED,
            Result.REJECTED,
        }


async def test_those_dismissed_end_untouched_and_say_who_said_so(few: Fleet) -> None:
    async with few.worker():
        await alerts(few)
        names = [one.rollback for one in (await held(few, 3)).held]
        budget = few.rollbacks.budget(few.env)
        one = BudgetAnswer(by="anna", rollbacks=(names[0],), reason="one cause")
        assert (await budget.answer("dismiss", one)).because == "1 dismissed"
        outcome = await few.rollbacks.rollback(names[0]).result()
        assert outcome.result is Result.REJECTED
        assert outcome.because == "dismissed by anna: one cause"
        assert outcome.services[0].end is EndState.UNTOUCHED
        assert outcome.effect == "Production is unchanged."
        again = await budget.answer("dismiss", one)
        assert (again.applied, again.because) == (False, f"not held in {few.env}: {names[0]}")
        assert [one.rollback for one in (await held(few, 2)).held] == names[1:]
        await budget.answer("dismiss", ALL)
        await few.rollbacks.rollback(names[1]).result()
        assert touched(few) <= 1


@pytest.mark.parametrize("way", ["abort", "cancel"])
async def test_a_held_one_that_is_stopped_ends_untouched_and_leaves_the_question(
    few: Fleet, way: str
) -> None:
    async with few.worker():
        await alerts(few)
        stopped = few.rollbacks.rollback((await held(few, 3)).held[0].rollback)
        if way == "abort":
            await stopped.abort(AbortCommand(by="anna"))
        else:
            await few.client.get_workflow_handle(stopped.id).cancel()
        outcome = await stopped.result()
        assert outcome.result is Result.ABORTED
        assert outcome.services[0].end is EndState.UNTOUCHED
        assert stopped.id not in {one.rollback for one in (await held(few, 2)).held}
        await replay(few, stopped.id)
        await few.rollbacks.budget(few.env).answer("dismiss", ALL)


async def test_a_person_at_the_keyboard_is_counted_and_never_held(few: Fleet) -> None:
    services = list(few.worlds)
    async with few.worker():
        by_hand = [await few.start(service) for service in services[:2]]
        for rollback in by_hand:
            assert (await rollback.result()).result is Result.VERIFIED
        alert = await few.start(services[2], trigger="alert")  # the two took the only place
        assert [one.rollback for one in (await held(few, 1)).held] == [alert.id]
        await few.rollbacks.budget(few.env).answer("admit", ALL)
        assert (await alert.result()).result is Result.VERIFIED


async def test_no_approval_is_asked_of_anybody_while_a_rollback_is_held(
    client: Client, tmp_path: Path
) -> None:
    asked = {"approval": {"required": True, "deadline_s": 120}}
    none = {"budget": 0}
    made_so = fleet(client, tmp_path, services=1, fleet=none, policy=asked)
    async with made_so as made, made.worker():
        (rollback,) = await alerts(made)
        await held(made, 1)
        await until(rollback, lambda state, _: state == State.HELD)
        await made.rollbacks.budget(made.env).answer("admit", ALL)
        await until(rollback, lambda state, _: state == State.WAITING_FOR_APPROVAL)
        await rollback.abort(AbortCommand(by="anna"))
        assert (await rollback.result()).result is Result.ABORTED


async def test_a_budget_that_was_ended_is_asked_again_and_forgets_nobody_who_is_held(
    few: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "AN_HOUR", timedelta(seconds=1))
    async with few.worker():
        await alerts(few)
        await held(few, 3)
        budget = few.client.get_workflow_handle(budget_id(few.env))
        await budget.terminate("by mistake")
        async with asyncio.timeout(PATIENCE_S):
            while (await budget.describe()).status is not WorkflowExecutionStatus.RUNNING:
                await asyncio.sleep(0.1)
        await held(few, 3)
        assert touched(few) <= 1  # the new window is empty, but they are part of a question
        await few.rollbacks.budget(few.env).answer("dismiss", ALL)


async def test_the_budget_ends_by_itself_once_its_window_is_empty(
    client: Client, tmp_path: Path
) -> None:
    short = {"budget": 1, "budget_window_s": 0.5}
    async with fleet(client, tmp_path, services=1, fleet=short) as made, made.worker():
        (rollback,) = await alerts(made)
        assert (await rollback.result()).result is Result.VERIFIED
        await client.get_workflow_handle(budget_id(made.env)).result()
        assert (await made.rollbacks.budget(made.env).status()).held == ()


async def test_nothing_begins_while_the_budget_cannot_answer(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "A_MINUTE", timedelta(seconds=1))
    async with fleet(client, tmp_path, services=1) as made, without_budget(made):
        (rollback,) = await alerts(made)
        await until(rollback, lambda state, words: state == "held" and "not answer" in words)
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await rollback.result()
        assert outcome.result is Result.ABORTED
        assert touched(made) == 0


async def test_nothing_is_held_where_nobody_ever_asked(few: Fleet) -> None:
    assert (await few.rollbacks.budget(few.env).status()).held == ()
    answer = await few.rollbacks.budget(few.env).answer("admit", ALL)
    assert (answer.applied, answer.because) == (False, f"nothing is held in {few.env}")
