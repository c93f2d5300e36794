"""A worker frozen right before its write, thawed when a person has had that write undone."""

import pytest

from proof.kill_matrix.account import End
from proof.kill_matrix.bench import Bench
from proof.kill_matrix.points import Fault, Moment, Point
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.progress import EndState, Result

pytestmark = [pytest.mark.kill, pytest.mark.whole_matrix, pytest.mark.timeout(300)]

SHIFT = Point(
    strategy="blue_green",
    step=1,
    activity="redirect_traffic",
    moment=Moment.BEFORE,
    fault=Fault.FROZEN,
)


async def test_the_late_write_of_a_shift_that_was_undone_is_refused(bench: Bench) -> None:
    async with bench.case() as case:
        case.start_worker(SHIFT)
        successor = case.start_worker(at_once=False)
        rollback = await case.start()
        await case.until_state("T")
        await case.abort_child(AbortCommand(mode=AbortMode.RESTORE, by="bench"))
        case.let_work(successor)
        outcome = await case.outcome(rollback)
        became = await case.thaw(writes=True)
        account = await case.account(rollback)
    assert (outcome.result, outcome.services[0].end) == (Result.ABORTED, EndState.RESTORED)
    assert account.end == End(shares={"v2": 100}, ready={"v1": 4, "v2": 4})
    assert [one.weights for one in account.written] == [{"shop-v1": 100}, {"shop-v2": 100}]
    assert became == "StaleWrite"
    assert account.users.by_us == 0
