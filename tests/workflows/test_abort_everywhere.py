"""An abort inside every step of every strategy, in both modes; an ordinary run takes a sample."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.plan import ActionKind
from rollback_manager.progress import EndState
from tests.rig import PATIENCE_S, Rig
from workers.worker import make_worker

FLOOR = 2
"""⌈0.66 × 3⌉, by hand."""
STEPS = {"blue_green": 5, "canary": 5, "generic": 12, "rolling_update": 11}
"""Steps that are activities where the good version does not run yet."""
SAMPLE = {("generic", 6), ("rolling_update", 5)}
KINDS = set(ActionKind)


class HeldAt(Interceptor, ActivityInboundInterceptor):
    """Holds the n-th activity of the steps, from 1, before it begins; counts all of them."""

    def __init__(self, number: int) -> None:
        self.number, self.begun = number, 0
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        self.next = next
        return self

    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        if input.fn.__name__ in KINDS:
            self.begun += 1
            if self.begun == self.number:
                self.reached.set()
                await self.go_on.wait()
        return await super().execute_activity(input)


def places() -> Iterator[object]:
    """(strategy, step, mode); what is not in the sample is marked."""
    for strategy, count in STEPS.items():
        for step in range(1, count + 1):
            for mode in AbortMode:
                marks = () if (strategy, step) in SAMPLE else (pytest.mark.whole_matrix,)
                yield pytest.param(
                    strategy, step, mode, marks=marks, id=f"{strategy}-{step}-{mode}"
                )


@pytest.fixture
def placed(unmanned: Rig, strategy: str) -> Rig:
    made = replace(unmanned, strategy=strategy)
    made.world.running["v1"] = 0
    if strategy == "canary":
        made.world.shares_now = {"v1": 90, "v2": 10}
        made.world.running = {"v1": 2, "v2": 1}
        made.world.splits[:] = [made.world.shares_now]
        made.world.carrying[:] = [3]
    return made


@pytest.mark.kill
@pytest.mark.parametrize(("strategy", "step", "mode"), list(places()))
async def test_an_abort_inside_any_step_ends_as_declared(
    placed: Rig, strategy: str, step: int, mode: AbortMode
) -> None:
    before = dict(placed.world.shares_now)
    held = HeldAt(step)
    async with _worker(placed, held):
        rollback = await placed.start()
        async with asyncio.timeout(PATIENCE_S):
            await held.reached.wait()
        await rollback.abort(AbortCommand(mode=mode, by="anna"))
        await placed.told("abort")
        held.go_on.set()
        outcome = await rollback.result()
    (service,) = outcome.services
    assert service.found is not None
    assert service.found.shares == placed.world.shares_now
    assert all(sum(split.values()) == 100 for split in placed.world.splits)
    assert min(placed.world.carrying) >= FLOOR
    if mode is AbortMode.RESTORE:
        assert placed.world.shares_now == before
    assert service.end is _called(placed.world.shares_now, bool(placed.world.ledger))
    await placed.replay(rollback)


def _called(shares: dict[str, int], wrote: bool) -> EndState:
    if shares == {"v1": 100}:
        return EndState.ROLLED_BACK
    if shares == {"v2": 100}:
        return EndState.RESTORED if wrote else EndState.UNTOUCHED
    return EndState.MIXED


@pytest.mark.parametrize("strategy", STEPS)
async def test_the_steps_of_each_strategy_are_all_of_them(placed: Rig, strategy: str) -> None:
    held = HeldAt(0)
    async with _worker(placed, held):
        await (await placed.start()).result()
    assert held.begun == STEPS[strategy]


def _worker(made: Rig, held: HeldAt):  # type: ignore[no-untyped-def] # the SDK's Worker
    return make_worker(
        made.client, made.settings, made.parts, [held], max_cached_workflows=made.cached
    )
