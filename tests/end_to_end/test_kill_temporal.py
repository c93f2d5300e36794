"""Temporal's server killed in the middle: on the same file everything comes to the same end."""

import asyncio
import time
from collections.abc import Callable

import pytest

from proof.kill_matrix.account import Account
from proof.kill_matrix.bench import Bench, Kind
from proof.kill_matrix.case import Case
from proof.kill_matrix.oracle import violations
from rollback_manager.client import Rollback
from rollback_manager.contract import Decision, Vote
from rollback_manager.errors import RollbackError
from rollback_manager.progress import State

pytestmark = [pytest.mark.kill, pytest.mark.timeout(180)]

Note = Callable[[str, object], None]
PATIENCE_S = 30


@pytest.mark.whole_matrix
async def test_temporal_killed_while_a_person_is_asked_changes_nothing(
    bench: Bench, record_property: Note
) -> None:
    async with bench.case(Kind(asks=True)) as case:
        case.start_worker()
        rollback = await case.start()
        digest = await until_asked(rollback)
        dead_at = await kill_and_wait(bench, case)
        await approve(rollback, digest)
        account = await case.account(rollback, dead_at)
    record_property("recovered_s", account.recovered_s)
    assert await changed_nothing(bench, account)


async def test_temporal_killed_during_the_shift_changes_nothing(
    bench: Bench, record_property: Note
) -> None:
    async with bench.case() as case:
        case.start_worker()
        rollback = await case.start()
        await case.until("the shift is written", lambda: bool(case.routes.versions))
        dead_at = await kill_and_wait(bench, case)
        account = await case.account(rollback, dead_at)
    record_property("recovered_s", account.recovered_s)
    assert await changed_nothing(bench, account)


@pytest.mark.whole_matrix
async def test_temporal_killed_during_the_verification_changes_nothing(
    bench: Bench, record_property: Note
) -> None:
    async with bench.case() as case:
        case.start_worker()
        rollback = await case.start()
        await case.until_runs("verify")
        dead_at = await kill_and_wait(bench, case)
        account = await case.account(rollback, dead_at)
    record_property("recovered_s", account.recovered_s)
    assert await changed_nothing(bench, account)


async def changed_nothing(bench: Bench, account: Account) -> bool:
    """Compared with an undisturbed run; what differs is told by the assertion."""
    assert violations(account, await bench.reference("blue_green")) == []
    return True


async def kill_and_wait(bench: Bench, case: Case) -> float:
    """Until the server was begun again; the worker is the same one, and lives."""
    before = bench.server.restarts
    bench.kill_temporal()
    dead_at = time.monotonic()
    await case.until("Temporal is back", lambda: bench.server.restarts > before)
    assert case.worker_lives
    return dead_at


async def until_asked(rollback: Rollback) -> str:
    """Until the plan waits for a person; its digest."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status = await rollback.status()
            if status.state is State.WAITING_FOR_APPROVAL:
                return status.digest
            await asyncio.sleep(0.05)


async def approve(rollback: Rollback, digest: str) -> None:
    """As a person does: again, if Temporal was not there to hear it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                vote = Vote(plan=digest, by="bench")
                answer = await rollback.vote(Decision.APPROVE, vote, vote_id="one-click")
            except RollbackError:
                await asyncio.sleep(0.2)
                continue
            assert answer.applied or "stored" in answer.because, answer
            return
