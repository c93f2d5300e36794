"""A small real world in which workers and Temporal are killed: up once, reset for each case."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Self

from temporalio.client import Client, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from demo.load import Load
from demo.processes import Children, tail
from demo.world import World
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import (
    SEARCH_ATTRIBUTES,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
    RollbackRequest,
    service_id,
)
from rollback_manager.errors import TemporaryError
from rollback_manager.progress import RollbackOutcome
from rollback_manager.release import Standing
from tests.end_to_end.doomed_worker import AFTER
from tests.end_to_end.oracle import Account, End, Happened
from tests.end_to_end.witnesses import (
    Distributor,
    FrontDoor,
    Processes,
    RouteFile,
    copy,
    look_at_envoy,
)
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer

ROOT = Path(__file__).parents[2]
CLERK = "clerk"
"""Queue of the worker that keeps the records between the cases and is never killed."""
TEST, ASKED, LATE = "test", "asked", "late"
"""Environments: nobody is asked; a person is; Envoy gets the route file LATE_S seconds late."""
LATE_S = 4.0
RATE = 220.0
READY_S = 30.0
REACHED_S = 30.0
ENDS_S = 75.0
"""Many times what each takes, for a loaded machine."""

POLICY: dict[str, object] = {
    "approval": {"required": False, "deadline_s": 60},
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
        self.reference: Account | None = None
        self.cases = 0

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        # In a short folder, for a Unix socket goes into it; pytest's own is often too long.
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        self.world = stack.enter_context(World(self.folder))
        self.late_routes = self.folder / "late" / "rds.json"
        self.late_routes.parent.mkdir()
        self.catalogue = self.folder / "catalogue.yaml"
        self.catalogue.write_text(json.dumps(_catalogue(self.world, self.late_routes)))
        found = await find_binary(print)
        database, log = self.folder / "temporal.sqlite", self.folder / "logs" / "temporal.log"
        self.server = TemporalServer(
            found.path, database, None, None, log, search_attributes=SEARCH_ATTRIBUTES
        )
        await stack.enter_async_context(self.server)
        stack.push_async_callback(_cancelled, asyncio.create_task(self._keep_alive()))
        self.workers = Children(self.folder / "logs")
        stack.callback(self.workers.end, 5.0, lambda: None)
        self.temporal = await Client.connect(
            self.server.address, data_converter=pydantic_data_converter
        )
        self.clerk = RollbackClient(self.temporal, task_queue=CLERK)
        self.start_worker(CLERK, CLERK)
        await self._release()
        async with self.case() as case:
            case.start_worker()
            self.reference = await case.account(await case.start())

    async def _keep_alive(self) -> None:
        await self.server.keep_alive(lambda _: None, every_s=0.3)

    async def _release(self) -> None:
        """v1 goes out and is measured; then v2 is brought up."""
        await asyncio.to_thread(self.world.add_version, "v1", instances=4)
        await asyncio.to_thread(self.world.set_shares, {"v1": 100}, "deploy-v1")
        copy(self.world.routes_file, self.late_routes)
        with Load(f"{self.world.front_url}/", self.folder / "first.jsonl", rate=RATE):
            await asyncio.gather(*(self._record(env, "v1") for env in (TEST, ASKED, LATE)))
            await asyncio.gather(*(self._verified(env) for env in (TEST, ASKED, LATE)))
        await asyncio.to_thread(self.world.add_version, "v2", instances=4, error_ratio=0.1)
        await asyncio.gather(*(self._record(env, "v2") for env in (TEST, ASKED, LATE)))

    async def _record(self, env: str, version: str) -> None:
        ask = RecordRelease(env=env, service="shop", version=version, by="bench")
        await self.clerk.releases(ReleaseRequest(ask=ask))

    async def _verified(self, env: str) -> None:
        await self.mark(env, "v1", Standing.VERIFIED, measure_s=2)

    async def mark(
        self, env: str, version: str, standing: Standing, measure_s: float = 0
    ) -> None:
        """Change what is known of a release, through the product's own client."""
        ask = MarkRelease(
            env=env,
            service="shop",
            version=version,
            by="bench",
            standing=standing,
            measure_s=measure_s,
        )
        await self.clerk.releases(ReleaseRequest(ask=ask))

    def reset(self) -> None:
        """v2 has all the traffic on four instances; two of v1's four are left running."""
        self.world.scale("v2", 4)
        self.world.set_shares({"v1": 0, "v2": 100}, f"deploy-v2-{self.cases}")
        self.world.scale("v1", 2)
        copy(self.world.routes_file, self.late_routes)

    def start_worker(self, name: str, queue: str) -> None:
        """The product's own worker, as a process."""
        self.spawn(name, "rollback_manager", "worker", "--task-queue", queue)

    def spawn(self, name: str, module: str, *arguments: str) -> None:
        """A Python module of this checkout with catalogue, data and Temporal's address."""
        surroundings = f"TEMPORAL_ADDRESS={self.server.address}", f"PYTHONPATH={ROOT}"
        options = "--catalogue", str(self.catalogue), "--data", str(self.folder / "data")
        command = ["env", *surroundings, sys.executable, "-m", module, *arguments, *options]
        self.workers.start(name, command)

    @contextlib.asynccontextmanager
    async def case(self, env: str = TEST) -> AsyncIterator["Case"]:
        """A fresh pair of releases, users, witnesses, and a queue of its own."""
        self.cases += 1
        case = Case(self, env, self.cases)
        await asyncio.to_thread(self.reset)
        await self.mark(env, "v2", Standing.CANDIDATE)
        try:
            with contextlib.ExitStack() as stack:
                case.watch(stack)
                yield case
        finally:
            await case.leave()

    def kill_temporal(self) -> None:
        """kill -9 of the server; `keep_alive` brings it back on the same file."""
        os.kill(self.server.pid, signal.SIGKILL)

    async def killed_at(self, name: str, at: str) -> Account:
        """A rollback whose worker is killed at that point; another one goes on."""
        async with self.case() as case:
            case.start_doomed(name, at)
            rollback = await case.start()
            await case.until_dead()
            killed = time.monotonic()
            case.start_worker()
            account = await case.account(rollback)
        return replace(account, recovered_s=case.ended - killed)


class Case:
    """One rollback under watch."""

    def __init__(self, bench: Bench, env: str, number: int) -> None:
        self.bench, self.env, self.number = bench, env, number
        self.queue = f"case-{number}"
        self.client = RollbackClient(bench.temporal, task_queue=self.queue)
        self.doomed, self.begin = f"doomed-{number}", bench.folder / f"begin-{number}"
        self.ended = 0.0
        self._rollback: Rollback | None = None
        self._names: list[str] = []

    def watch(self, stack: contextlib.ExitStack) -> None:
        """Users and witnesses, until the stack is closed."""
        world, late = self.bench.world, self.env == LATE
        file = self.bench.late_routes if late else world.routes_file
        if late:
            stack.enter_context(Distributor(file, world.routes_file, LATE_S))
        self.routes = stack.enter_context(RouteFile(file))
        self.door = stack.enter_context(FrontDoor(world.admin_url, world.service))
        self.processes = Processes(world.supervisord_log)
        out = self.bench.folder / f"users-{self.number}.jsonl"
        self.load = Load(f"{world.front_url}/", out, rate=RATE)
        self._since = time.monotonic()
        stack.enter_context(self.load)

    def start_worker(self, name: str = "worker") -> None:
        """A worker of the product on this case's queue."""
        self._names.append(f"{name}-{self.number}")
        self.bench.start_worker(f"{name}-{self.number}", self.queue)

    def start_doomed(self, name: str, at: str) -> None:
        """A worker that will die or freeze at that point; it waits for `start`."""
        self._names.append(self.doomed)
        self.bench.spawn(
            self.doomed,
            "tests.end_to_end.doomed_worker",
            *("--task-queue", self.queue, "--activity", name, "--at", at),
            *("--begin", str(self.begin)),
        )

    async def start(self) -> Rollback:
        """Once a worker is ready: the request, as CI would send it."""
        (name,) = self._names
        await self.until(f"{name} is ready", lambda: "worker is ready" in self.said(name), READY_S)
        self.begin.touch()
        request = RollbackRequest(
            env=self.env,
            services=("shop",),
            key=f"k-{self.number}",
            requested_by="ci:bench",
            reason="errors",
        )
        self._rollback = await self.client.start(request)
        return self._rollback

    def said(self, name: str) -> str:
        """What a worker wrote so far."""
        log = self.bench.workers.log(name)
        return log.read_text(errors="replace") if log.exists() else ""

    @property
    def doomed_pid(self) -> int:
        """0 once it is dead."""
        return self.bench.workers.pids().get(self.doomed, 0)

    async def until_dead(self) -> None:
        """Until the doomed worker has reached its point."""
        await self.until(f"{self.doomed} reaches its point", lambda: not self.doomed_pid, REACHED_S)
        exit_code = self.bench.workers.exit_code(self.doomed)
        assert exit_code == -signal.SIGKILL, tail(self.bench.workers.log(self.doomed))

    async def until(self, what: str, holds: "Holds", within_s: float) -> None:
        """Wait for it without keeping Temporal's watchdog from its work."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            await asyncio.sleep(0.01)
