"""A small real world in which workers and Temporal are killed: up once, reset for each case."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from demo.load import Load
from demo.world import World
from rollback_manager.client import RollbackClient
from rollback_manager.contract import (
    SEARCH_ATTRIBUTES,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
)
from rollback_manager.release import Standing
from tests.end_to_end.case import ENV, RATE, Case, Place
from tests.end_to_end.killable import Workers
from tests.end_to_end.oracle import Account
from tests.end_to_end.witnesses import copy
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer

CLERK = "clerk"
"""The worker, and its queue, that keeps the records between the cases and is never killed."""
ORDINARY, ASKED, LATE = "ordinary", "asked", "late"
"""Catalogues: nobody is asked; a person is; Envoy gets the route file when the test says so."""
SETTLED_S = 1.1
"""Envoy's update_merge_window and a little: until then some of its threads do not know that the
deployer's new instances are healthy, and users would be failed by the reset, not by a rollback."""

POLICY: dict[str, object] = {
    # A P95 of 5 ms trebles when two cores are busy with other tests; it is not what is tested here.
    "verification": {
        "min_window_s": 1,
        "max_window_s": 20,
        "error_ratio_margin": 0.02,
        "latency_factor": 40,
    },
    "timeouts": {
        "prepare_s": 20,
        "redirect_traffic_s": 20,
        "drain_s": 20,
        "clean_up_s": 20,
        "heartbeat_s": 2,
    },
}
"""Windows of a second, so that a case takes seconds; a dead worker is missed after two."""


class Bench:
    """World, Temporal with its database on disk, and a clerk; `async with Bench() as bench`."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._cases = 0
        self.reference: Account | None = None
        """An undisturbed run, the first of all."""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        # In a short folder, for a Unix socket goes into it; pytest's own is often too long.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        world = stack.enter_context(World(folder))
        late = folder / "late" / "rds.json"
        late.parent.mkdir()
        catalogues = {kind: folder / f"{kind}.yaml" for kind in (ORDINARY, ASKED, LATE)}
        for kind, file in catalogues.items():
            routes = late if kind == LATE else world.routes_file
            file.write_text(json.dumps(_catalogue(world, routes, asks=kind == ASKED)))
        binary = (await find_binary(print)).path
        database, log = folder / "temporal.sqlite", folder / "logs" / "temporal.log"
        self.server = TemporalServer(
            binary, database, None, None, log, search_attributes=SEARCH_ATTRIBUTES
        )
        await stack.enter_async_context(self.server)
        keeping = asyncio.create_task(self.server.keep_alive(lambda _: None, every_s=0.3))
        stack.push_async_callback(_cancel, keeping)
        workers = Workers(folder / "logs", folder / "data", self.server.address)
        stack.callback(workers.end)
        client = await Client.connect(self.server.address, data_converter=pydantic_data_converter)
        self._clerk = RollbackClient(client, task_queue=CLERK)
        self.place = Place(folder, world, late, catalogues, workers, client)
        workers.start(CLERK, catalogues[ORDINARY], CLERK)
        await self._release()
        async with self.case() as case:
            case.start_worker()
            self.reference = await case.account(await case.start())

    async def _release(self) -> None:
        """v1 goes out and is measured; then v2 is brought up."""
        world = self.place.world
        await asyncio.to_thread(world.add_version, "v1", instances=4)
        await asyncio.to_thread(world.set_shares, {"v1": 100}, "deploy-v1")
        copy(world.routes_file, self.place.late_routes)
        with Load(f"{world.front_url}/", self.place.folder / "first.jsonl", rate=RATE):
            await self._record("v1")
            await self._mark("v1", Standing.VERIFIED, 2)
        await asyncio.to_thread(world.add_version, "v2", instances=4, error_ratio=0.1)
        await self._record("v2")

    async def _record(self, version: str) -> None:
        ask = RecordRelease(env=ENV, service="shop", version=version, by="bench")
        await self._clerk.releases(ReleaseRequest(ask=ask))

    async def _mark(self, version: str, standing: Standing, measure_s: float) -> None:
        ask = MarkRelease(
            env=ENV,
            service="shop",
            version=version,
            by="bench",
            standing=standing,
            measure_s=measure_s,
        )
        await self._clerk.releases(ReleaseRequest(ask=ask))

    def _reset(self) -> None:
        """v2 has all the traffic on four instances; two of v1's four are left running."""
        world = self.place.world
        world.scale("v2", 4)
        world.set_shares({"v1": 0, "v2": 100}, f"deploy-v2-{self._cases}")
        world.scale("v1", 2)
        copy(world.routes_file, self.place.late_routes)
        time.sleep(SETTLED_S)

    @contextlib.asynccontextmanager
    async def case(self, kind: str = ORDINARY) -> AsyncIterator[Case]:
        """A fresh pair of releases, users, witnesses, and a queue of its own."""
        self._cases += 1
        await asyncio.to_thread(self._reset)
        await self._mark("v2", Standing.CANDIDATE, 0)
        case = Case(self.place, kind, self._cases, late=kind == LATE)
        try:
            with case:
                yield case
        finally:
            await case.leave()

    def kill_temporal(self) -> None:
        """kill -9 of the server; `keep_alive` brings it back on the same file."""
        os.kill(self.server.pid, signal.SIGKILL)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _catalogue(world: World, routes: Path, *, asks: bool) -> dict[str, object]:
    policy = {**POLICY, "approval": {"required": asks, "deadline_s": 60}}
    return {
        "version": 1,
        "environments": {ENV: {"policy": policy}},
        "services": {
            "shop": {
                "strategy": "blue_green",
                "environments": {ENV: _placement(world, routes)},
            }
        },
    }


def _placement(world: World, routes: Path) -> dict[str, object]:
    return {
        "workloads": {
            "kind": "supervisord",
            "socket": str(world.socket),
            "program": world.service,
        },
        "traffic": {
            "kind": "envoy",
            "admin": world.admin_url,
            "routes": str(routes),
            "route": world.service,
        },
        "journeys": [{"name": "front page", "get": f"{world.front_url}/", "contains": "version"}],
    }
