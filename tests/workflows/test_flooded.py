"""More signals than Temporal takes for one workflow: what still reaches it, and what is typed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from proof.in_process import Fleet, fleet
from proof.own_temporal import own_temporal
from proof.stand_ins import Gate
from rollback_manager.client import Rollback
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    Decision,
    PauseCommand,
    Vote,
    service_id,
)
from rollback_manager.errors import SignalsUsedUp
from rollback_manager.progress import Result, State
from rollback_manager.rendering import words
from tests.rig import PATIENCE_S, replayer
from workers import temporal_server

ASKED = {"approval": {"required": True, "deadline_s": 60}}
MOST = 20
"""Signals for one workflow; 10,000 by default."""
LIMIT = f"history.maximumSignalsPerExecution={MOST}"


@pytest.fixture
async def strict(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Of a server that takes few signals."""
    monkeypatch.setattr(temporal_server, "SETTINGS", (*temporal_server.SETTINGS, LIMIT))
    async with own_temporal() as own:
        yield await own.client()


async def until(rollback: Rollback, state: State) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while words.state_of(await rollback.status()) is not state:
            await asyncio.sleep(0.1)


async def flooded(made: Fleet) -> Rollback:
    """It waits for its approval, is paused, and takes no signal any more."""
    rollback = await made.start(next(iter(made.worlds)))
    await until(rollback, State.WAITING_FOR_APPROVAL)
    for _ in range(MOST):
        await rollback.pause(PauseCommand(by="a loop"))
    return rollback


async def test_whoever_resumes_or_restores_is_told_what_to_type_instead(
    strict: Client, tmp_path: Path
) -> None:
    async with fleet(strict, tmp_path, services=1, policy=ASKED) as made, made.worker():
        rollback = await flooded(made)
        for refused in (
            rollback.resume(PauseCommand(by="anna")),
            rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna")),
        ):
            with pytest.raises(SignalsUsedUp) as told:
                await refused
            assert f"rollback-manager abort {rollback.id}" in told.value.next_step
            assert "if it is paused it stays so" in told.value.effect
        await rollback.abort(AbortCommand(by="anna"))
        await rollback.result()


async def test_a_vote_still_counts_and_a_hold_ends_it_untouched(
    strict: Client, tmp_path: Path
) -> None:
    async with fleet(strict, tmp_path, services=1, policy=ASKED) as made, made.worker():
        rollback = await flooded(made)
        vote = Vote(plan=(await rollback.status()).digest, by="anna")
        assert (await rollback.vote(Decision.APPROVE, vote, vote_id="1")).applied
        await until(rollback, State.PAUSED)
        await rollback.abort(AbortCommand(by="anna", reason="a flood"))
        outcome = await rollback.result()
        assert outcome.result is Result.ABORTED
        assert "hold by temporal-cancel: for anna: a flood" in outcome.services[0].because
        assert all(world.shares_now == {"v2": 100} for world in made.worlds.values())
        again = await made.start(next(iter(made.worlds)))
        await until(again, State.WAITING_FOR_APPROVAL)
        await again.abort(AbortCommand(by="anna"))


async def test_a_hold_reaches_a_service_that_takes_no_signal_any_more_either(
    strict: Client, tmp_path: Path
) -> None:
    async with fleet(strict, tmp_path, services=1) as made, made.worker():
        (name,) = made.worlds
        gate = Gate("set_shares")
        made.worlds[name].before_write = gate
        rollback = await made.start(name)
        async with asyncio.timeout(PATIENCE_S):
            while not gate.reached.is_set():
                await asyncio.sleep(0.05)
        child = strict.get_workflow_handle(service_id(made.env, name))
        for sent in range(1, MOST + 1):
            await rollback.pause(PauseCommand(by="a loop"))
            await heard(child, min(sent, MOST))
        gate.open()
        await until(rollback, State.PAUSED)
        await rollback.abort(AbortCommand(by="anna"))
        async with asyncio.timeout(PATIENCE_S):
            assert (await rollback.result()).result is Result.ABORTED
        await replayer().replay_workflow(await rollback.history())


async def heard(child: WorkflowHandle[Any, Any], signals: int) -> None:
    """As many signals are in its history."""
    async with asyncio.timeout(PATIENCE_S):
        while signals > sum(
            event.HasField("workflow_execution_signaled_event_attributes")
            for event in (await child.fetch_history()).events
        ):
            await asyncio.sleep(0.05)
