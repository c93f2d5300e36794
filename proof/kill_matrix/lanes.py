"""Many runs side by side: a run mostly waits, so several worlds share a machine."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Self, TypeVar

from proof.kill_matrix.account import Account
from proof.kill_matrix.bench import Bench
from proof.kill_matrix.oracle import violations
from proof.kill_matrix.placement import STRATEGIES
from proof.kill_matrix.points import Fault, Moment, Point, points, sample
from proof.kill_matrix.run import Run, carry_out

W = TypeVar("W")
R = TypeVar("R")
Tell = Callable[[str], None]
Told = Callable[[int, int, Run], None]


class Lanes:
    """`async with Lanes(3) as lanes`: so many benches, which share their undisturbed accounts."""

    def __init__(self, count: int) -> None:
        self.references: dict[str, Account] = {}
        self.benches = [Bench(self.references) for _ in range(count)]
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Bring all of them up, one after the other: at once they would only wait longer."""
        async with contextlib.AsyncExitStack() as stack:
            for bench in self.benches:
                await stack.enter_async_context(bench)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all of them."""
        await self._stack.aclose()

    async def undisturbed(self, strategies: Sequence[str] = STRATEGIES) -> list[Run]:
        """One reference of each strategy, which must be right by itself."""

        async def one(bench: Bench, strategy: str) -> Run:
            begun = time.monotonic()
            account = await bench.reference(strategy)
            return Run(nowhere(strategy), violations(account, None), time.monotonic() - begun)

        return await self.share_out(one, strategies)

    def whole(self, seed: int, strategies: Sequence[str] = STRATEGIES) -> list[Point]:
        """The matrix, from the activities that the references' plans have."""
        planned = {name: self.references[name].planned for name in strategies}
        return [point for name in strategies for point in points(name, planned[name], seed)]

    async def run(
        self, chosen: Sequence[Point], told: Told, within_s: float = math.inf
    ) -> list[Run]:
        """All of them, each judged; `told` hears of each as it ends.

        within_s: after that none is begun any more.
        """
        ended = 0

        async def one(bench: Bench, point: Point) -> Run:
            nonlocal ended
            run = await carry_out(bench, point)
            ended += 1
            told(ended, len(chosen), run)
            return run

        return await self.share_out(one, chosen, within_s)

    async def share_out(
        self,
        work: Callable[[Bench, W], Awaitable[R]],
        pieces: Sequence[W],
        within_s: float = math.inf,
    ) -> list[R]:
        """Each lane takes the next piece as soon as it is free, until the time is over."""
        left, until = deque(pieces), time.monotonic() + within_s
        done: list[R] = []

        async def lane(bench: Bench) -> None:
            while left and time.monotonic() < until:
                done.append(await work(bench, left.popleft()))

        async with asyncio.TaskGroup() as group:
            for bench in self.benches:
                group.create_task(lane(bench))
        return done


def nowhere(strategy: str) -> Point:
    """The point of a run that nothing disturbs."""
    return Point(strategy=strategy, step=0, activity="none", moment=Moment.BEFORE, fault=Fault.NONE)


async def matrix(
    lanes: Lanes,
    *,
    seed: int,
    tell: Tell,
    told: Told,
    most: int | None = None,
    only: str = "",
    within_s: float = math.inf,
) -> list[Run]:
    """The references, then the matrix or `most` runs of it whose names contain `only`.

    within_s: a slow machine carries out fewer, in an order that leaves no strategy or fault out.
    """
    tell(f"{len(lanes.benches)} worlds are up; first an undisturbed rollback of each strategy")
    undisturbed = await lanes.undisturbed()
    whole = [point for point in lanes.whole(seed) if only in str(point)]
    chosen = whole if most is None else sample(whole, most, seed)
    tell(f"{len(chosen)} of {len(whole)} runs, seed {seed}")
    runs = await lanes.run(chosen, told, within_s)
    if len(runs) < len(chosen):
        tell(f"{len(chosen) - len(runs)} runs were not begun: {within_s:.0f} s were over")
    return undisturbed + runs
