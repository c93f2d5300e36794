"""The way of a person who finds a rollback left behind, in a shell, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from activities import metrics, orphans, reconciler
from rollback_manager import claim, contract
from rollback_manager.client import Rollback
from tests import rig
from tests.commands import typed
from tests.rig import PATIENCE_S, Rig
from workers.watchdogs import watch_over


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "POLL_S", 0.05)
    monkeypatch.setattr(metrics, "POLL_S", 0.05)
    monkeypatch.setattr(orphans, "EVERY_S", 0.1)
    monkeypatch.setattr(claim, "YOUNG", timedelta())


PATIENT: dict[str, object] = {
    "timeouts": {"prepare_s": 40, "redirect_traffic_s": 40, "drain_s": 40, "heartbeat_s": 10},
    "verification": {"min_window_s": 0, "max_window_s": 40},
}
"""Commands beside the worker are much load: a step that came to halt would be followed for ever."""


@pytest.fixture
async def made(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig.rig(client, tmp_path, cached=1000, policy=PATIENT) as one:
        with suppress(RPCError):  # a worker of another test may have left one on its own queue
            await client.get_workflow_handle(contract.watchdog_id("test")).terminate("over")
        await watch_over(client, one.settings.task_queue, ["test"])
        yield one
        await client.get_workflow_handle(contract.watchdog_id("test")).terminate("it is over")


async def left_behind(made: Rig) -> Rollback:
    """Terminated while no instance of the good version becomes ready."""
    made.world.running["v1"], made.world.not_ready["v1"] = 0, 4
    rollback = await made.start()
    await made.step_runs("prepare")
    await made.child().terminate("somebody pressed the button")
    await rollback.result()
    made.world.not_ready.clear()
    return rollback


async def listed(made: Rig) -> list[dict[str, Any]]:
    """The orphans in `list`, once the watchdog has found one."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while True:
            code, document, _ = await typed(made, "list")
            assert code == 0
            if document["orphans"]:
                assert "test" not in [one["env"] for one in document["orphans_unknown"]]
                found: list[dict[str, Any]] = document["orphans"]
                return found


async def test_what_list_shows_is_what_start_refuses_and_adopt_finishes(made: Rig) -> None:
    orphan = await left_behind(made)
    line = f"rollback-manager adopt {made.service} --env test"
    (shown,) = await listed(made)
    assert (shown["rollback"], shown["adopt"]) == (orphan.id, line)
    code, document, _ = await typed(made, "start", made.service, "--yes")
    assert (code, document["outcome"]["result"]) == (7, "blocked")
    assert line in document["outcome"]["next_step"]
    code, document, talk = await typed(
        made, "adopt", made.service, "--yes", "--by", "anna", "--timeout", "50"
    )
    assert (code, document["outcome"]["result"]) == (0, "verified")
    assert document["outcome"]["services"][0]["adopted"] == orphan.id
    assert "UNTOUCHED: all traffic is on v2" in talk
    code, document, _ = await typed(made, "adopt", made.service, "--yes")
    assert (code, document["error"]) == (7, "NotFound")
    assert made.world.shares_now == {"v1": 100}


async def test_a_service_is_given_back_by_a_word_of_its_own(made: Rig) -> None:
    await left_behind(made)
    code, document, _ = await typed(made, "adopt", made.service, "--give-back", "--yes")
    assert code == 0
    assert document["left"]["given_back"] is True
    assert made.records.claims("test", made.service) == []
    assert made.world.shares_now == {"v2": 100}
