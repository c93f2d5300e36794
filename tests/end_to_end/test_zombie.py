"""A worker frozen right before its write, thawed when others have done its work long since."""

from dataclasses import replace

import pytest

from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.progress import EndState, Result
from tests.end_to_end.bench import Bench
from tests.end_to_end.doomed_worker import FROZEN
from tests.end_to_end.oracle import End, violations

pytestmark = [pytest.mark.kill, pytest.mark.timeout(180)]


@pytest.mark.whole_matrix
async def test_the_late_write_of_a_finished_shift_changes_nothing(bench: Bench) -> None:
    async with bench.case() as case:
        case.start_doomed("redirect_traffic", FROZEN)
        rollback = await case.start()
        await case.until_frozen()
        case.start_worker()
        await case.outcome(rollback)
        await case.thaw()
        account = await case.account(rollback)
    # It is the same step: its mark does not forbid it, but what it writes is there already.
    assert len({(one.version_info, str(one.weights)) for one in account.written}) == 1
    assert violations(replace(account, written=account.written[:1]), bench.reference) == []


async def test_the_late_write_of_a_shift_that_was_undone_is_refused(bench: Bench) -> None:
    async with bench.case() as case:
        case.start_doomed("redirect_traffic", FROZEN)
        rollback = await case.start()
        await case.until_frozen()
        await case.abort_child(AbortCommand(mode=AbortMode.RESTORE, by="bench"))
        case.start_worker()
        outcome = await case.outcome(rollback)
        became = await case.thaw()
        account = await case.account(rollback)
    assert (outcome.result, outcome.services[0].end) == (Result.ABORTED, EndState.RESTORED)
    assert account.end == End(shares={"v2": 100}, ready={"v1": 4, "v2": 4})
    assert [one.weights for one in account.written] == [{"shop-v1": 100}, {"shop-v2": 100}]
    assert became == "StaleWrite"
    assert account.users.by_us == 0
