"""A worker killed at any step changes nothing: the same writes once, the same end, no user lost.

An ordinary run carries out a fixed sample; `make kill-matrix` all of it.
"""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.end_to_end.bench import LATE, Bench
from tests.end_to_end.doomed_worker import AFTER, BEFORE, DURING, UNREPORTED
from tests.end_to_end.oracle import STEPS, Account, violations

pytestmark = [pytest.mark.kill, pytest.mark.timeout(180)]

Note = Callable[[str, object], None]
SAMPLE = {
    ("prepare", DURING),
    ("redirect_traffic", DURING),
    ("redirect_traffic", AFTER),
    ("verify", DURING),
    ("clean_up", UNREPORTED),
}

LOOKED_S = 1.0
"""Enough for the second attempt to have looked, and to write if it thought it had to."""


def points() -> list[object]:
    """Four moments of each of the five activities; those outside the sample are marked."""
    return [
        pytest.param(
            name,
            at,
            marks=() if (name, at) in SAMPLE else pytest.mark.whole_matrix,
            id=f"{name}-{at}",
        )
        for name in STEPS
        for at in (BEFORE, DURING, UNREPORTED, AFTER)
    ]


def test_the_undisturbed_run_is_right_itself(bench: Bench) -> None:
    assert bench.reference is not None
    assert violations(bench.reference, None) == []
    assert [bench.reference.attempts(name) for name in STEPS] == [1] * len(STEPS)


@pytest.mark.parametrize(("name", "at"), points())
async def test_a_worker_killed_at_any_step_changes_nothing(
    bench: Bench, name: str, at: str, record_property: Note
) -> None:
    account = await killed(bench, name, at)
    record_property("recovered_s", account.recovered_s)
    assert was_killed_there(account, name, at)
    assert violations(account, bench.reference) == []


@pytest.mark.whole_matrix
async def test_a_shift_that_the_proxy_takes_up_late_is_not_written_again(
    bench: Bench, record_property: Note
) -> None:
    async with bench.case(LATE) as case:
        case.start_doomed("redirect_traffic", DURING)
        rollback = await case.start()
        await case.until_dead()
        dead_at = time.monotonic()
        case.start_worker()
        await case.until_runs("redirect_traffic", attempt=2)
        await asyncio.sleep(LOOKED_S)
        case.distributor.may_carry.set()
        account = await case.account(rollback, dead_at)
    record_property("recovered_s", account.recovered_s)
    assert was_killed_there(account, "redirect_traffic", DURING)
    assert violations(account, bench.reference) == []


async def killed(bench: Bench, name: str, at: str) -> Account:
    """A rollback whose worker is killed at that point; another one goes on."""
    async with bench.case() as case:
        case.start_doomed(name, at)
        rollback = await case.start()
        await case.until_dead()
        dead_at = time.monotonic()
        case.start_worker()
        return await case.account(rollback, dead_at)


def was_killed_there(account: Account, name: str, at: str) -> bool:
    """Temporal's own word for it: an attempt lost, or a workflow task after the completion."""
    if at != AFTER:
        return account.attempts(name) == 2
    completed = account.first("activity_task_completed", name)
    lost = [one for one in account.history if one.kind == "workflow_task_timed_out"]
    return account.attempts(name) == 1 and any(one.at > completed for one in lost)
