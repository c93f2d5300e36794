"""One lane: a world, a Temporal with its database on disk, proxies; reset for each case."""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowHandle,
)

from demo.load import Load
from demo.world import World
from proof.converting import data_converter
from proof.faults.proxy import Proxies
from proof.kill_matrix.account import Account
from proof.kill_matrix.case import Case, Place
from proof.kill_matrix.killable import Workers
from proof.kill_matrix.oracle import RATE
from proof.kill_matrix.placement import ENV, INITIAL, SERVICE, write_catalogue
from proof.kill_matrix.points import Point
from proof.kill_matrix.witnesses import copy
from proof.kill_matrix.worker import TASK, Order
from rollback_manager.client import RollbackClient
from rollback_manager.contract import (
    SEARCH_ATTRIBUTES,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
)
from rollback_manager.release import Standing
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer

CLERK = "clerk"
"""The worker, and its queue, that keeps the records between the cases and is never disturbed."""
SETTLED_S = 1.1
"""Envoy's update_merge_window and a little: until then some of its threads do not know that the
deployer's new instances are healthy, and users would be failed by the reset, not by a rollback."""
DRAIN_S = 1.6
"""An instance that is stopped stays reachable for the same reason, and a probe longer."""


@dataclass(frozen=True)
class Kind:
    """Which catalogue a case uses. late: Envoy gets the route file when the case says so."""

    strategy: str = "blue_green"
    asks: bool = False
    late: bool = False


class Bench:
    """`async with Bench() as bench`; `references`: undisturbed accounts by strategy, to share."""

    def __init__(self, references: dict[str, Account] | None = None) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._cases = 0
        self.references = {} if references is None else references

    async def __aenter__(self) -> Self:
        """Bring everything up."""
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything."""
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        # In a short folder, for a Unix socket goes into it; others are often too long.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        self.world = world = World(folder)
        stack.callback(world.stop)
        await asyncio.to_thread(world.start)
        for part in ("late", "p"):
            (folder / part).mkdir()
        proxies = await stack.enter_async_context(Proxies(folder / "p" / "control"))
        self.server = await self._server(stack, folder)
        workers = Workers(folder / "logs")
        stack.callback(workers.end)
        address = self.server.address
        client = await Client.connect(
            address, data_converter=data_converter(), interceptors=[QuickStarts()]
        )
        self._clerk = RollbackClient(client, task_queue=CLERK)
        self.place = Place(
            folder=folder,
            world=world,
            late_routes=folder / "late" / "rds.json",
            workers=workers,
            client=client,
            proxied=await self._proxies(proxies, int(address.rpartition(":")[2])),
            proxies=proxies,
        )
        (folder / "begin").touch()
        workers.start(self._order(CLERK, folder / "begin", kind=Kind(), queue=CLERK))
        await self._release()

    async def _server(self, stack: contextlib.AsyncExitStack, folder: Path) -> TemporalServer:
        server = TemporalServer(
            (await find_binary(lambda _: None)).path,
            folder / "temporal.sqlite",
            None,
            None,
            folder / "logs" / "temporal.log",
            search_attributes=SEARCH_ATTRIBUTES,
        )
        await stack.enter_async_context(server)
        keeping = asyncio.create_task(server.keep_alive(lambda _: None, every_s=0.3))
        stack.push_async_callback(_cancel, keeping)
        return server

    async def _proxies(self, proxies: Proxies, temporal: int) -> dict[str, str]:
        """Everything that a worker talks to stands behind a proxy, which mostly just passes on."""
        world, socket = self.world, proxies.control.with_name("s.sock")
        await proxies.before_socket("supervisord", socket, world.socket)
        admin = await proxies.before_port("envoy", int(world.admin_url.rpartition(":")[2]))
        port = await proxies.before_port("temporal", temporal)
        return {
            "socket": str(socket),
            "admin": f"http://127.0.0.1:{admin}",
            "temporal": f"127.0.0.1:{port}",
        }

    def _catalogue(self, kind: Kind) -> Path:
        name = f"{kind.strategy}{'-asks' * kind.asks}{'-late' * kind.late}.yaml"
        file = self.place.folder / name
        if file.exists():
            return file
        routes = self.place.late_routes if kind.late else self.world.routes_file
        doors = {**self.place.proxied, "routes": str(routes)}
        return write_catalogue(file, kind.strategy, self.world, doors, asks=kind.asks)

    def _order(
        self,
        name: str,
        begin: Path,
        *,
        kind: Kind,
        queue: str,
        point: Point | None = None,
        without: str = "",
    ) -> Order:
        """Only a worker that is to be disturbed reaches Temporal by way of its proxy."""
        place = self.place
        return Order(
            name=name,
            log=place.workers.log(name),
            catalogue=self._catalogue(kind),
            data=place.folder / "data",
            queue=queue,
            temporal=place.proxied["temporal"] if point else self.server.address,
            begin=begin,
            control=place.proxies.control,
            point=point,
            without=without,
        )

    async def _release(self) -> None:
        """v1 goes out and is measured; then v2 is brought up."""
        world = self.world
        await asyncio.to_thread(world.add_version, "v1", instances=4)
        await asyncio.to_thread(world.set_shares, {"v1": 100}, "deploy-v1")
        copy(world.routes_file, self.place.late_routes)
        users = Load(f"{world.front_url}/", self.place.folder / "first.jsonl", rate=RATE)
        await asyncio.to_thread(users.start)
        try:
            ask = RecordRelease(env=ENV, service=SERVICE, version="v1", by="bench")
            await self._clerk.releases(ReleaseRequest(ask=ask))
            await self._mark("v1", Standing.VERIFIED, 2)
        finally:
            await asyncio.to_thread(users.stop)
        await asyncio.to_thread(
            world.add_version, "v2", instances=4, error_ratio=0.1, drain_s=DRAIN_S
        )
        ask = RecordRelease(env=ENV, service=SERVICE, version="v2", by="bench")
        await self._clerk.releases(ReleaseRequest(ask=ask))

    async def _mark(self, version: str, standing: Standing, measure_s: float) -> None:
        ask = MarkRelease(
            env=ENV,
            service=SERVICE,
            version=version,
            by="bench",
            standing=standing,
            measure_s=measure_s,
        )
        await self._clerk.releases(ReleaseRequest(ask=ask))

    def _reset(self, strategy: str) -> None:
        """The world as it is when the release is found to be bad; users are not there yet."""
        shares, running = INITIAL[strategy]
        for version in ("v2", "v1"):
            self.world.scale(version, running[version])
        self.world.set_shares(shares, f"deploy-v2-{self._cases}")
        copy(self.world.routes_file, self.place.late_routes)
        time.sleep(SETTLED_S)

    @contextlib.asynccontextmanager
    async def case(self, kind: Kind | None = None) -> AsyncIterator[Case]:
        """A fresh pair of releases, users, witnesses, and a queue of its own."""
        kind = kind or Kind()
        self._cases += 1
        key = f"case-{self._cases}"
        orders = partial(self._order, kind=kind, queue=key)
        case = Case(self.place, self._clerk, kind.strategy, key, orders, late=kind.late)
        try:
            await asyncio.to_thread(self._reset, kind.strategy)
            await self._mark("v2", Standing.CANDIDATE, 0)
            async with case:
                yield case
        finally:
            await case.leave()

    async def reference(self, strategy: str) -> Account:
        """An undisturbed run of the strategy, carried out once for all lanes."""
        if strategy not in self.references:
            async with self.case(Kind(strategy)) as case:
                case.start_worker()
                planned = await case.planned()
                account = await case.account(await case.start())
            self.references[strategy] = replace(account, planned=planned)
        return self.references[strategy]

    def kill_temporal(self) -> None:
        """kill -9 of the server; `keep_alive` brings it back on the same file."""
        os.kill(self.server.pid, signal.SIGKILL)


class QuickStarts(Interceptor):
    """A rollback's own workflow tasks are missed after a few seconds, not after ten."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Where workflows are started."""
        return _Starts(next)


class _Starts(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        return await super().start_workflow(replace(input, task_timeout=TASK))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
