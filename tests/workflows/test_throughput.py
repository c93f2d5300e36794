"""Users who stay away after the shift: compared with the traffic right before it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.progress import EndState, Result, State
from tests import rig
from tests.rig import Rig

LONG_ENOUGH_S = 2.3
"""Between planning and the shift, so that the traffic before it tells something."""


@pytest.fixture
async def judged(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """With the seed's floor, and a window of approval in which the traffic is counted."""
    policy: dict[str, object] = {
        "verification": {"min_window_s": 0.5, "max_window_s": 3, "throughput_floor": 0.5},
        "approval": {"required": True, "deadline_s": 30},
    }
    async with rig.rig(client, tmp_path, cached=cached, policy=policy) as one:
        yield one


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_a_service_that_nobody_reaches_any_more_is_not_well(judged: Rig) -> None:
    def nobody_comes(write: str) -> None:
        judged.world.requests_per_look = 100 if write == "set_shares" else 10_000

    judged.world.after_write = nobody_comes
    rollback = await judged.start()
    await judged.until(rollback, State.WAITING_FOR_APPROVAL)
    await asyncio.sleep(LONG_ENOUGH_S)
    await judged.approve(rollback)
    status = await judged.until(rollback, State.NEEDS_HUMAN)
    assert "throughput: " in status.waits_for
    assert "before the shift" in status.waits_for


@pytest.mark.parametrize("cached", [0])  # it takes long, and a replay is the harder way
async def test_what_the_proxy_counted_before_the_release_was_recorded_is_no_traffic(
    judged: Rig,
) -> None:
    """Somebody recorded it long after its deploy, or in the middle of the trouble."""
    judged.world._requests["v2"] = 1e9
    rollback = await judged.start()
    await judged.until(rollback, State.WAITING_FOR_APPROVAL)
    await asyncio.sleep(LONG_ENOUGH_S)
    await judged.approve(rollback)
    outcome = await judged.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED, outcome
