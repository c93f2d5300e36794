"""Whether somebody watches, what, and what is seen: from a shell, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from rollback_manager.contract import watch_id, watchdog_id
from tests import rig
from tests.commands import typed
from tests.rig import PATIENCE_S, Rig
from workers.watchdogs import watch_over


@pytest.fixture
async def split(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    """v1 and v2 with half of the traffic each; nothing watches them yet."""
    async with rig.rig(client, tmp_path, cached=1000) as made:
        made.world.shares_now = {"v1": 50, "v2": 50}
        await ended(client)  # a worker of another test may have left one on its own queue
        yield made
    await ended(client)


async def ended(client: Client) -> None:
    for name in (watch_id("test"), watchdog_id("test")):
        with suppress(RPCError):
            await client.get_workflow_handle(name).terminate("the test is over")


async def said(made: Rig, service: str) -> dict[str, Any]:
    """What the watch says of the service, once a beat has told it."""
    async with asyncio.timeout(2 * PATIENCE_S):
        while True:
            code, document, _ = await typed(made, "watch-releases")
            assert code == 0, document
            found = {one["service"]: one for one in document["watch"]["releases"]}
            if document["looked_at"] and "watched from now on" not in str(found):
                return dict(found[service])


async def test_it_is_said_when_nothing_watches_and_what_is_seen_when_something_does(
    split: Rig,
) -> None:
    code, document, talk = await typed(split, "watch-releases")
    assert (code, document["error"]) == (7, "NotFound")
    assert "noticed by nobody" in document["effect"]
    assert "rollback-manager serve" in talk

    await watch_over(split.client, split.settings.task_queue, ["test"])
    one = await said(split, split.service)
    assert (one["version"], one["beside"]) == ("v2", "v1")
    assert one["says"].split(":")[0] in {"fine so far", "cannot tell"}, one
