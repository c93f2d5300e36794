"""One run of the matrix: bring the fault about, let another worker go on, judge."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from proof.kill_matrix.account import Account
from proof.kill_matrix.bench import Bench, Kind
from proof.kill_matrix.case import Case
from proof.kill_matrix.oracle import violations
from proof.kill_matrix.points import Fault, Moment, Point


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


async def carry_out(bench: Bench, point: Point) -> Run:
    """One run. That it did not come to its end is a violation as well."""
    begun = time.monotonic()
    late, account = "", None
    try:
        reference = await bench.reference(point.strategy)
        async with bench.case(Kind(point.strategy)) as case:
            late, account = await _disturbed(case, point)
        twice = point.fault is Fault.FROZEN
        found = [*was_struck(account, point), *violations(account, reference, late_twice=twice)]
    except (AssertionError, TimeoutError) as error:
        found = [f"I10: it did not come to its end: {error}"]
    seconds = time.monotonic() - begun
    return Run(point, found, seconds, account.recovered_s if account else None, late)


async def _disturbed(case: Case, point: Point) -> tuple[str, Account]:
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
    """Temporal's own word for it: an attempt lost, or a workflow task after the completion."""
    timed_out = any(one.kind == "workflow_task_timed_out" for one in account.history)
    if point.moment is Moment.RECORDED:
        if point.fault is Fault.LOST or timed_out:
            return ()
    elif point.moment is Moment.POLLING and point.fault is Fault.LOST:
        return ()  # a slow answer needs no second attempt
    elif account.attempts(point.activity) >= 2 or point.fault is Fault.LOST:
        return ()
    return (f"M: Temporal knows of no second attempt: {point} did not come about",)
