"""Temporal's own Web UI with write actions off, before the server that asks for tokens."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from demo.ports import PortBlock
from demo.processes import Children
from proof.temporal_server.programs import UI
from proof.temporal_server.running import NAMESPACE
from tests.claims.temporal import READ, SYSTEM, WRITE, Guarded, documented

pytestmark = pytest.mark.claims

HERE = f"/api/v1/namespaces/{NAMESPACE}"
READY_S = 20


@contextmanager
def _running(temporal: str, **settings: str) -> Iterator[str]:
    """Configured as the image `temporalio/ui` is, but for loopback, which its file cannot say."""
    programs = UI.cached()
    with TemporaryDirectory(prefix="rb-") as name, closing(PortBlock()) as block:
        folder = Path(name)
        known = (programs / "docker.yaml").read_text()
        (folder / "docker.yaml").write_text(f"{known}\nhost: 127.0.0.1\n")
        port = block.take()
        told = {"TEMPORAL_ADDRESS": temporal, "TEMPORAL_UI_PORT": str(port), **settings}
        words = [f"{key}={value}" for key, value in told.items()]
        command = ["env", "-i", *words, str(programs / "temporal-ui")]
        children = Children(folder)
        try:
            children.start(
                "ui", [*command, "--root", name, "--config", ".", "--env", "docker", "start"]
            )
            yield f"http://127.0.0.1:{port}"
        finally:
            children.end(3, lambda: None)


@asynccontextmanager
async def web_ui(temporal: Guarded, **otherwise: str) -> AsyncIterator[httpx.AsyncClient]:
    told = documented("temporal-ui", temporal.secrets)
    settings = {name: value for name, value in told.items() if "_AUTH_" not in name}
    # No identity provider stands behind it here: requests bring the token that it would hand on.
    with _running(temporal.address, **{**settings, **otherwise}) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            async with asyncio.timeout(READY_S):
                while not await _is_up(http):
                    await asyncio.sleep(0.05)
            yield http


async def _is_up(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).is_success
    except httpx.ConnectError:
        return False


@pytest.fixture
async def waiting(guarded: Guarded) -> WorkflowHandle[object, object]:
    """Nobody works for it."""
    client: Client = await guarded.client(WRITE)
    return await client.start_workflow("W", id=f"ui-{uuid.uuid4().hex[:8]}", task_queue="nobody")


def bearer(guarded: Guarded, *permissions: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {guarded.issuer.token(*permissions)}"}


async def test_with_write_actions_off_it_only_shows_whatever_the_token(
    guarded: Guarded, waiting: WorkflowHandle[object, object]
) -> None:
    one = f"{HERE}/workflows/{waiting.id}"
    query = f"{HERE}/workflows/none/query/heard"
    writes = (
        f"{HERE}/workflows/another",
        f"{one}/signal/tell",
        f"{one}/terminate",
        f"{one}/cancel",
        f"{one}/reset",
        f"{one}/update/change",
        f"{HERE}/batch-operations/b-1",
        f"{HERE}/schedules/s-1",
    )
    before = (await waiting.describe()).history_length
    async with web_ui(guarded) as http:
        assert (await http.get("/api/v1/settings")).json()["DisableWriteActions"] is True
        assert "<html" in (await http.get("/")).text
        assert (await http.get(one)).status_code == 403
        viewer = bearer(guarded, READ)
        assert (await http.get(one, headers=viewer)).status_code == 200
        assert (await http.get(f"{HERE}/workflows", headers=viewer)).status_code == 200
        asked = await http.post(query, headers=viewer, json={})
        assert asked.status_code == 404, "a query reads, so it is passed on; there is no such one"
        assert (await http.get("/api/v1/namespaces", headers=viewer)).status_code == 403
        over_all = bearer(guarded, f"{SYSTEM}:read")
        assert (await http.get("/api/v1/namespaces", headers=over_all)).status_code == 200
        for may in (viewer, bearer(guarded, WRITE)):
            refused = [(await http.post(at, headers=may, json={})).status_code for at in writes]
            assert refused == [405] * len(writes)
    assert (await waiting.describe()).history_length == before


async def test_with_write_actions_on_the_token_alone_decides(
    guarded: Guarded, waiting: WorkflowHandle[object, object]
) -> None:
    ended = f"{HERE}/workflows/{waiting.id}/terminate"
    async with web_ui(guarded, TEMPORAL_DISABLE_WRITE_ACTIONS="false") as http:
        viewer = await http.post(ended, headers=bearer(guarded, READ), json={})
        assert viewer.status_code == 403
        writer = await http.post(ended, headers=bearer(guarded, WRITE), json={})
        assert writer.status_code == 200, writer.text
    assert (await waiting.describe()).status is WorkflowExecutionStatus.TERMINATED
