"""What was left behind is found by itself; where nobody looks, `list` says that, not "none"."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from activities import orphans
from activities.integrations.sql import SqlRecords, engine_for
from rollback_manager import claim, contract
from rollback_manager.claim import Claim, Watched
from rollback_manager.errors import Unreachable
from rollback_manager.progress import EndState, Result
from rollback_manager.rendering import terminal
from tests import rig
from tests.rig import PATIENCE_S, Rig
from tests.workflows.holding import held_in
from tests.workflows.test_adopt import end, left_in, once
from workers.watchdogs import watch_over

STATE = SearchAttributeKey.for_keyword("RollbackState")


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "EVERY_S", 0.1)
    monkeypatch.setattr(claim, "YOUNG", timedelta(seconds=0.2))


@pytest.fixture(autouse=True)
async def nobody_watches(client: Client) -> AsyncIterator[None]:
    """All tests share a server, where workers of others left watchdogs on queues of their own."""
    query = f"WorkflowType = '{contract.WATCHDOG_WORKFLOW}' AND ExecutionStatus = 'Running'"
    left = [run.id async for run in client.list_workflows(query)]
    for name in {*left, contract.watchdog_id("test")}:
        await _ended(client.get_workflow_handle(name))
    async with asyncio.timeout(PATIENCE_S):  # Temporal's visibility may lag
        while [run async for run in client.list_workflows(query)]:
            await asyncio.sleep(0.1)
    yield
    await _ended(watchdog(client))


async def _ended(one: WorkflowHandle[object, object]) -> None:
    with suppress(RPCError):  # none was started, or it has ended
        await one.terminate("the test is over")


def watchdog(client: Client) -> WorkflowHandle[object, object]:
    return client.get_workflow_handle(contract.watchdog_id("test"))


async def watched(made: Rig) -> Watched:
    (known,) = await made.rollbacks.orphans(env="test")
    return known


async def until(made: Rig, holds: Callable[[Watched], bool]) -> Watched:
    """What the watchdog says once that holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(known := await watched(made)):
            await asyncio.sleep(0.1)
    return known


async def until_listed_as(made: Rig, state: str) -> None:
    """Its search attribute follows what its query says in a task of its own."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            seen = await watchdog(made.client).describe()
            if seen.typed_search_attributes.get(STATE) == state:
                return
            await asyncio.sleep(0.1)


async def look_over(made: Rig) -> None:
    await watch_over(made.client, made.settings.task_queue, ["test"])


async def test_an_orphan_is_found_shown_with_its_line_and_forgotten_once_adopted(
    made: Rig,
) -> None:
    await look_over(made)
    await until(made, lambda known: known.looked and not known.trouble)
    held = await held_in(made, "prepare")
    await asyncio.sleep(1)  # older than young, looked at several times: and yet it runs
    assert (await watched(made)).orphans == ()
    await end(made, held)
    known = await until(made, lambda known: bool(known.orphans))
    assert [(one.service, one.rollback) for one in known.orphans] == [
        (made.service, held.rollback.id)
    ]
    line = f"rollback-manager adopt {made.service} --env test"
    listed = terminal.listed(await made.rollbacks.list(env="test", limit=1), [known])
    assert "ORPHAN" in listed
    assert line in listed
    await until_listed_as(made, "needs_human")
    assert f"`{line}`" in str(await watchdog(made.client).query("__temporal_workflow_metadata"))
    adopter = await made.start(adopts=held.rollback.id)
    assert (await made.ends_as(adopter, EndState.ROLLED_BACK)).result is Result.VERIFIED
    await until(made, lambda known: not known.orphans)
    await until_listed_as(made, "running")
    await rig.replayer().replay_workflow(await watchdog(made.client).fetch_history())


@once
async def test_a_claim_that_was_made_just_now_is_not_called_an_orphan(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "YOUNG", timedelta(hours=1))
    await left_in(made, "prepare")
    await look_over(made)
    await until(made, lambda known: known.looked)
    assert (await watched(made)).orphans == ()
    monkeypatch.setattr(claim, "YOUNG", timedelta())
    await until(made, lambda known: bool(known.orphans))


@once
async def test_a_watchdog_goes_on_with_the_next_worker_and_is_silent_between(
    unmanned: Rig,
) -> None:
    assert "no watchdog runs" in (await watched(unmanned)).trouble
    async with unmanned.at_work() as made:
        await look_over(made)
        await until(made, lambda known: known.looked and not known.trouble)
        first = (await watchdog(made.client).describe()).run_id
        await left_in(made, "prepare")
    known = await watched(unmanned)
    assert known.trouble == "its watchdog does not answer: does a worker run?"
    assert "orphans of test: unknown: its watchdog does not answer" in terminal.listed([], [known])
    async with unmanned.at_work() as made:
        await look_over(made)
        await until(made, lambda known: bool(known.orphans))
        assert (await watchdog(made.client).describe()).run_id == first
        await watchdog(made.client).terminate("somebody pressed the button")
        assert "no watchdog runs" in (await watched(made)).trouble
        await look_over(made)
        await until(made, lambda known: bool(known.orphans))


class ClaimsThatGoAway(SqlRecords):
    """The real records, whose claims cannot be read while `away`."""

    away = False

    def claims(self, env: str, service: str | None = None) -> list[Claim]:
        if self.away:
            raise Unreachable("the records do not answer")
        return super().claims(env, service)


@once
async def test_a_watchdog_that_cannot_read_the_records_says_so_and_keeps_what_it_knew(
    unmanned: Rig,
) -> None:
    records = ClaimsThatGoAway(engine_for(unmanned.settings.records_url))
    async with replace(unmanned, records=records).at_work() as made:
        await left_in(made, "prepare")
        await look_over(made)
        await until(made, lambda known: bool(known.orphans))
        records.away = True
        known = await until(made, lambda known: bool(known.trouble))
        assert known.trouble == "the records do not answer"
        assert len(known.orphans) == 1
        records.away = False
        await until(made, lambda known: not known.trouble and bool(known.orphans))


@once
async def test_all_environments_are_asked_where_none_is_named(made: Rig) -> None:
    await look_over(made)
    await until(made, lambda known: known.looked)
    async with asyncio.timeout(PATIENCE_S):  # Temporal's visibility may lag
        while len(known := await made.rollbacks.orphans(also=["moon"])) < 2:
            await asyncio.sleep(0.1)
    assert [one.env for one in known] == ["moon", "test"]
    assert "no watchdog runs" in known[0].trouble
    assert not known[1].trouble
