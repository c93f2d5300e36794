"""One run of the matrix: bring the fault about, let another worker go on, judge."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from proof.kill_matrix.account import Account
from proof.kill_matrix.bench import Bench, Kind
from proof.kill_matrix.case import Case
from proof.kill_matrix.oracle import violations
from proof.kill_matrix.points import Fault, Moment, Point
from rollback_manager.errors import RollbackError


@dataclass(frozen=True)
class Run:
    """What came of one run."""

    point: Point
    violations: Sequence[str]
    seconds: float
    recovered_s: float | None = None
    late_write: str = ""
    """Of a thawed worker: the error that refused its write, or `let through`."""
    lane: int = field(default=0, compare=False)


async def carry_out(bench: Bench, point: Point, *, compared: bool = True) -> Run:
    """One run. That it did not come to its end is a violation as well.

    compared: with an undisturbed run of the same strategy, beside all that is judged by itself.
    """
    begun = time.monotonic()
    late, account = "", None
    try:
        reference = await bench.reference(point.strategy) if compared else None
        async with bench.case(Kind(point.strategy)) as case:
            late, account = await disturbed(case, point)
        twice = point.fault is Fault.FROZEN
        found = [*was_struck(account, point), *violations(account, reference, late_twice=twice)]
    except (AssertionError, TimeoutError, RollbackError) as error:
        found = [f"I10: it did not come to its end: {error}"]
    seconds = time.monotonic() - begun
    return Run(point, found, seconds, account.recovered_s if account else None, late)


async def disturbed(case: Case, point: Point) -> tuple[str, Account]:
    """Until all is over: what became of a late write, and the account."""
    case.start_worker(point)
    if point.fault is Fault.LOST:
        rollback = await case.start()
        await case.until_struck()
        return "", await case.account(rollback, time.monotonic())
    successor = case.start_worker(at_once=False)
    rollback = await case.start()
    await case.until_struck()
    since = time.monotonic()
    await case.until_state("" if point.fault is Fault.KILLED else "T")
    case.let_work(successor)
    if point.fault is Fault.KILLED:
        return "", await case.account(rollback, since)
    if point.seed % 2 and point.moment is not Moment.RECORDED:
        await case.until_done(point)  # the late one wakes up in the middle of what follows
    else:
        await case.outcome(rollback)  # or when all is over
    late = await case.thaw(writes=point.writes and point.moment is Moment.BEFORE)
    return late, await case.account(rollback, since)


def was_struck(account: Account, point: Point) -> Sequence[str]:
    """That the fault came about, in the proxies' or Temporal's own word."""
    if point.fault is Fault.LOST:
        raised = point.activity == "redirect_traffic" and point.moment in (
            Moment.BEFORE,
            Moment.EFFECT,
        )
        came = account.attempts(point.activity) >= 2 if raised else account.lost > 0
    elif point.moment is Moment.RECORDED:
        came = any(one.kind == "workflow_task_timed_out" for one in account.history)
    else:
        came = account.attempts(point.activity) >= 2
    return () if came else (f"M: nobody knows of it: {point} did not come about",)
