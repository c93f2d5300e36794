"""What a real Temporal says of workflows; and that its silence is no answer."""

import asyncio
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.claims import Runs
from activities.integrations import temporal_runs
from activities.integrations.temporal_runs import TemporalRuns
from rollback_manager.errors import Unreachable
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer


async def said(client: Client, workflow_id: str) -> str | None:
    """Asked as an activity asks: from a thread of its own."""
    runs: Runs = TemporalRuns(client, asyncio.get_running_loop())
    return await asyncio.to_thread(runs.started_by, workflow_id)


async def test_a_workflow_runs_from_its_start_to_its_end(client: Client) -> None:
    name = f"service/test/s{uuid.uuid4().hex[:8]}"
    assert await said(client, name) is None
    handle = await client.start_workflow("Nobody", id=name, task_queue=f"q-{name}")
    assert await said(client, name) == ""
    await handle.terminate()
    assert await said(client, name) is None


async def test_a_question_that_temporal_refuses_has_no_answer(client: Client) -> None:
    with pytest.raises(Unreachable, match="WorkflowId is not set"):
        await said(client, "")


async def test_a_temporal_that_is_silent_is_not_one_that_says_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await find_binary(print)
    log = tmp_path / "log"
    async with TemporalServer(found.path, None, None, None, log, search_attributes={}) as server:
        client = await Client.connect(server.address)
        assert await said(client, "service/test/x") is None
    monkeypatch.setattr(temporal_runs, "ANSWER", timedelta(seconds=0.2))
    monkeypatch.setattr(temporal_runs, "SPARE_S", 0.2)
    with pytest.raises(Unreachable, match="does not say whether service/test/x runs"):
        await said(client, "service/test/x")
