"""One run of the matrix on Kubernetes: bring the fault about, let another worker go on, judge."""

import time
from collections.abc import Sequence

from proof.kill_matrix.points import Fault, Moment, Point
from proof.kill_matrix.run import Run
from proof.kubernetes.account import Account
from proof.kubernetes.bench import Bench
from proof.kubernetes.case import Case
from proof.kubernetes.oracle import violations
from proof.kubernetes.placement import PLACEMENTS
from rollback_manager.errors import RollbackError

REFUSED = "refused"


async def carry_out(bench: Bench, point: Point, *, compared: bool = True) -> Run:
    """One run. That it did not come to its end is a violation as well.

    compared: with an undisturbed run of the same placement, beside all that is judged by itself.
    """
    begun = time.monotonic()
    account = None
    try:
        reference = await bench.reference(point.strategy) if compared else None
        async with bench.case(PLACEMENTS[point.strategy]) as case:
            account = await disturbed(case, point)
        found = [*was_struck(account, point), *violations(account, reference)]
    except (AssertionError, TimeoutError, RollbackError) as error:
        found = [f"I10: it did not come to its end: {error}"]
    seconds = time.monotonic() - begun
    recovered_s, late = (account.recovered_s, account.late) if account else (None, None)
    return Run(point, found, seconds, recovered_s, _words(late))


async def disturbed(case: Case, point: Point) -> Account:
    """Until all is over."""
    case.start_worker(point)
    if point.fault is Fault.LOST:
        rollback = await case.start()
        await case.until_struck()
        return await case.account(rollback, time.monotonic())
    successor = case.start_worker(at_once=False)
    rollback = await case.start()
    await case.until_struck()
    since = time.monotonic()
    await case.until_state("" if point.fault is Fault.KILLED else "T")
    case.let_work(successor)
    if point.fault is Fault.KILLED:
        return await case.account(rollback, since)
    if point.seed % 2 and point.moment is not Moment.RECORDED:
        await case.until_done(point)  # the late one wakes up in the middle of what follows
    else:
        await case.outcome(rollback)  # or when all is over
    await case.thaw()
    return await case.account(rollback, since)


def was_struck(account: Account, point: Point) -> Sequence[str]:
    """That the fault came about, in the proxy's or Temporal's own word."""
    if point.fault is Fault.LOST:
        came = bool(account.struck) or point.moment is Moment.RECORDED
    elif point.moment is Moment.RECORDED:
        came = any(one.kind == "workflow_task_timed_out" for one in account.history)
    else:
        came = account.attempts(point.activity) >= 2
    return () if came else (f"M: nobody knows of it: {point} did not come about",)


def _words(late: int | None) -> str:
    if late is None:
        return ""
    return "let through" if late < 300 else REFUSED
