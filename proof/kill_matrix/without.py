"""Each mechanism taken out once: the same fault, with it and without it, before the same oracle.

With the mechanism nothing must be violated, without it something must be: else the proof proves
nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from proof.kill_matrix.account import Account
from proof.kill_matrix.bench import Bench, Kind
from proof.kill_matrix.case import Case
from proof.kill_matrix.lanes import Lanes
from proof.kill_matrix.mechanisms import Mechanism
from proof.kill_matrix.oracle import harm
from proof.kill_matrix.points import Fault, Moment, Point
from proof.kill_matrix.run import disturbed
from rollback_manager.contract import AbortCommand, PauseCommand
from rollback_manager.errors import NotFound, RollbackError
from rollback_manager.progress import State

LOOKED_S = 1.5
"""Enough for the second attempt to have looked, and to write if it thought it had to."""
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    mechanism: Mechanism
    fault: str
    with_it: Sequence[str]
    without_it: Sequence[str]

    @property
    def is_needed(self) -> bool:
        """Whether the oracle saw nothing with it, and something without it."""
        seen = [words for words in self.without_it if not words.startswith("M:")]
        return not self.with_it and bool(seen)

    def __str__(self) -> str:
        """As in `fence: held with it; without it: I6: …`."""
        held = "held with it" if not self.with_it else f"VIOLATED WITH IT: {self.with_it[0]}"
        lost = self.without_it[0][:90] if self.without_it else "NOTHING WAS SEEN"
        return f"{self.mechanism}: {held}; without it: {lost}"


async def rows(lanes: Lanes) -> list[Row]:
    """All mechanisms, each with and without, shared out over the lanes."""
    pieces = [(mechanism, without) for mechanism in Mechanism for without in (False, True)]
    seen: dict[tuple[Mechanism, bool], Sequence[str]] = {}

    async def one(bench: Bench, piece: tuple[Mechanism, bool]) -> None:
        seen[piece] = await judged(bench, piece[0], without=piece[1])

    await lanes.share_out(one, pieces)
    return [Row(one, SCENARIOS[one][0], seen[one, False], seen[one, True]) for one in Mechanism]


async def judged(bench: Bench, mechanism: Mechanism, *, without: bool) -> Sequence[str]:
    """What the oracle says of the mechanism's scenario."""
    _, kind, scenario = SCENARIOS[mechanism]
    try:
        async with bench.case(kind) as case:
            case.without = mechanism if without else ""
            return harm(await scenario(case))
    except (AssertionError, TimeoutError, RollbackError) as error:
        return [f"M: it did not come to its end: {error}"]


async def _instances_die_after_they_were_counted(case: Case) -> Account:
    """The good version was made ready; before the shift three of its four instances are gone."""
    case.start_worker()
    rollback = await case.start()
    await case.until_runs("prepare")
    await rollback.pause(PauseCommand(by="bench"))
    await _until(case, rollback.id, State.PAUSED)
    await asyncio.to_thread(case.world.scale, "v1", 1)
    await rollback.resume(PauseCommand(by="bench"))
    await _until(case, rollback.id, State.NEEDS_HUMAN, State.FINISHED)
    await rollback.abort(AbortCommand(by="bench"))
    return await case.account(rollback)


async def _the_proxy_is_late(case: Case) -> Account:
    """Killed right after the write, which the proxy has not taken up when another one looks."""
    point = Point(
        strategy="blue_green",
        step=1,
        activity="redirect_traffic",
        moment=Moment.EFFECT,
        fault=Fault.KILLED,
    )
    case.start_worker(point)
    successor = case.start_worker(at_once=False)
    rollback = await case.start()
    await case.until_struck()
    since = time.monotonic()
    await case.until_state("")
    case.let_work(successor)
    await case.until_runs("redirect_traffic", attempt=2)
    await asyncio.sleep(LOOKED_S)
    case.distributor.may_carry.set()
    return await case.account(rollback, since)


async def _a_frozen_worker_thaws(case: Case) -> Account:
    """Frozen before it stops a batch of the bad version, thawed when that version is gone."""
    point = Point(
        strategy="rolling_update",
        step=2,
        activity="stop_batch",
        moment=Moment.BEFORE,
        fault=Fault.FROZEN,
    )
    _, account = await disturbed(case, point)
    return account


async def _it_is_started_twice(case: Case) -> Account:
    """CI sends the same start twice. Without it, each start has ids of its own."""
    case.start_worker()
    first = await case.start()
    second = await case.start(f"{case.key}-again" if case.without else "")
    results = [asyncio.create_task(one.result()) for one in (first, second)]
    await asyncio.wait(results, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
    for one in (first, second):  # refused by the other's marks, it would wait for a person
        with suppress(NotFound):  # it has ended
            await one.abort(AbortCommand(by="bench"))
    account = await case.account(first)
    return replace(account, started_runs=len({first.id, second.id}))


Scenario = Callable[[Case], Awaitable[Account]]
SCENARIOS: Mapping[Mechanism, tuple[str, Kind, Scenario]] = {
    Mechanism.GUARD: (
        "three of four good instances die between prepare and shift",
        Kind("blue_green"),
        _instances_die_after_they_were_counted,
    ),
    Mechanism.OP_ID: (
        "killed after the write, and the proxy takes the write up late",
        Kind("blue_green", late=True),
        _the_proxy_is_late,
    ),
    Mechanism.FENCE: (
        "frozen before a batch is stopped, thawed at the end",
        Kind("rolling_update"),
        _a_frozen_worker_thaws,
    ),
    Mechanism.DEDUPE: ("the same start sent twice", Kind("blue_green"), _it_is_started_twice),
}


async def _until(case: Case, rollback: str, *states: State) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await case.rollbacks.rollback(rollback).status()).state not in states:
            await asyncio.sleep(0.1)
