"""Temporal is away, or the gateway itself: what was started goes on, and people are told."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
from temporalio.client import Client
from temporalio.service import RetryConfig

from proof.converting import data_converter
from proof.faults.proxy import Proxy
from rollback_manager.client import RollbackClient
from starters import naming
from starters.gateway.app import make_app
from tests.rig import Rig
from tests.starters.gateway.conftest import ORIGIN, Gate, opened


@contextlib.asynccontextmanager
async def reached_by(client: Client) -> AsyncIterator[tuple[Client, Callable[[], Awaitable[None]]]]:
    """Another client of the same Temporal, and what takes that one away."""
    host, _, port = client.service_client.config.target_host.rpartition(":")
    proxy = Proxy(lambda: asyncio.open_connection(host, int(port)))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    name, at = server.sockets[0].getsockname()
    other = await Client.connect(
        f"{name}:{at}",
        data_converter=data_converter(),
        retry_config=RetryConfig(max_elapsed_time_millis=200),
    )

    async def gone() -> None:
        server.close()
        await proxy.cut()

    yield other, gone
    server.close()


async def test_without_temporal_the_last_plan_is_offered_by_hand(
    client: Client, gate: Gate
) -> None:
    wanted = {"env": "test", "services": [gate.rig.service]}
    async with reached_by(client) as (other, gone):
        away = RollbackClient(other, task_queue=gate.rig.settings.task_queue)
        app = make_app(replace(gate.doors, rollbacks=away))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            plan = (await http.post("/api/v1/plans", json=wanted)).json()
            assert (await http.get("/readyz")).status_code == 200
            await gone()
            refused = await http.post("/api/v1/rollbacks", json=wanted)
            assert (refused.status_code, refused.json()["type"]) == (503, "unreachable")
            assert "Temporal does not answer" in refused.json()["detail"]
            assert "Nothing was started" in refused.json()["effect"]
            by_hand = [line for seen in plan["found"] for line in seen["by_hand"]]
            assert refused.json()["by_hand"] == by_hand != []
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200
            unseen = await http.get("/api/v1/rollback/test/another")
            assert (unseen.status_code, unseen.json()["by_hand"]) == (503, [])


@contextlib.asynccontextmanager
async def process(rig: Rig, temporal: str, folder: Path) -> AsyncIterator[tuple[int, str]]:
    """The gateway as people run it: its process id, and where it listens."""
    file = folder / "catalogue.yaml"
    file.write_text(rig.parts.catalogue.model_dump_json(exclude_none=True))
    port = _free_port()
    environment = {
        **os.environ,
        "TEMPORAL_ADDRESS": temporal,
        "ROLLBACK_CATALOGUE": str(file),
        "ROLLBACK_DATA": str(folder),
        "ROLLBACK_TASK_QUEUE": rig.settings.task_queue,
        "ROLLBACK_GATEWAY_PORT": str(port),
    }
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert running.stderr is not None
        async with asyncio.timeout(30):
            while not (line := await running.stderr.readline()).startswith(b"gateway: "):
                assert line, "it ended"
        yield running.pid, line.decode().removeprefix("gateway: ").strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def test_a_gateway_that_is_killed_after_its_answer_has_started_it(
    client: Client, gate: Gate, tmp_path: Path
) -> None:
    address = client.service_client.config.target_host
    service = gate.rig.service
    wanted = {"env": "test", "services": [service], "reason": "v2 is bad", "confirm": service}
    key = {"Idempotency-Key": f"k-{gate.rig.service}"}
    async with process(gate.rig, address, tmp_path) as (pid, origin), httpx.AsyncClient() as http:
        first = await http.post(f"{origin}/api/v1/rollbacks", json=wanted, headers=key)
        os.kill(pid, signal.SIGKILL)
    assert first.status_code == 202
    async with opened(gate.rig, operator=naming.operator()) as another:
        again = await another.http.post("/api/v1/rollbacks", json=wanted, headers=key)
        assert (again.status_code, again.json()) == (202, first.json())
        other = wanted | {"reason": "something else"}
        refused = await another.http.post("/api/v1/rollbacks", json=other, headers=key)
        assert (refused.status_code, refused.json()["type"]) == (409, "key-reused")
    async with asyncio.timeout(30):
        ended = await gate.rig.rollbacks.rollback(first.json()["rollback"]).result()
    assert ended.result == "verified"
