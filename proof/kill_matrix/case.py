"""One rollback under watch: its workers, its users, its witnesses, and what they saw."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from temporalio.client import Client

from demo.load import Load
from demo.world import World
from proof.faults.proxy import Proxies
from proof.kill_matrix.account import Account
from proof.kill_matrix.crew import Crew, Orders
from proof.kill_matrix.evidence import at_rest, history
from proof.kill_matrix.killable import Workers
from proof.kill_matrix.oracle import RATE
from proof.kill_matrix.placement import ENV, SERVICE
from proof.kill_matrix.witnesses import (
    Distributor,
    FrontDoor,
    MarkFile,
    Processes,
    RouteFile,
)
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import AdoptRequest, ListReleases, ReleaseRequest
from rollback_manager.errors import RollbackError


@dataclass(frozen=True)
class Place:
    """Where all cases of a lane happen. proxied: the doors through which workers go."""

    folder: Path
    world: World
    late_routes: Path
    workers: Workers
    client: Client
    proxied: dict[str, str]
    proxies: Proxies


class Case(Crew):
    """Users and witnesses are there as long as the block lasts; then `leave`."""

    def __init__(
        self,
        place: Place,
        clerk: RollbackClient,
        strategy: str,
        key: str,
        orders: Orders,
        *,
        late: bool,
    ) -> None:
        super().__init__(place.workers, place.client, place.folder, key, SERVICE, orders)
        self.strategy, self.late = strategy, late
        self._place, self._clerk = place, clerk
        self._stack = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        """Users and witnesses begin."""
        world, place = self._place.world, self._place
        place.proxies.disarm()
        self._lost_before = place.proxies.lost
        with contextlib.ExitStack() as stack:
            file = place.late_routes if self.late else world.routes_file
            self.distributor = Distributor(place.late_routes, world.routes_file)
            if self.late:
                stack.enter_context(self.distributor)
            self.routes = stack.enter_context(RouteFile(file))
            marks = place.proxies.control.with_name(f"{world.service}.mark.json")
            self.marks = stack.enter_context(MarkFile(marks))
            self.door = stack.enter_context(FrontDoor(world.admin_url, world.service))
            self._processes = Processes(world.supervisord_log)
            users = place.folder / f"{self.key}.jsonl"
            self._load = Load(f"{world.front_url}/", users, rate=RATE)
            self._since = time.monotonic()
            stack.callback(self._load.stop)
            await asyncio.to_thread(self._load.start)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """They end."""
        await asyncio.to_thread(self._stack.close)

    async def leave(self) -> None:
        """End what still runs; its claim would block whoever comes next."""
        if await self.ended():
            with contextlib.suppress(RollbackError):
                await self._clerk.left(AdoptRequest(env=ENV, service=SERVICE, give_back=True))

    @property
    def world(self) -> World:
        """The deployer's hand, for what happens beside the rollback."""
        return self._place.world

    async def account(self, rollback: Rollback, since: float | None = None) -> Account:
        """Wait for the end of the rollback, let the world come to rest, and tell everything."""
        outcome = await self.outcome(rollback)
        recovered_s = None if since is None else time.monotonic() - since
        end = await asyncio.to_thread(at_rest, self._place.world, self._processes)
        await asyncio.to_thread(self._load.stop)
        seconds = time.monotonic() - self._since
        return Account(
            strategy=self.strategy,
            outcome=outcome,
            history=await history(self._client, self.child),
            written=tuple(self.routes.versions),
            marks=tuple(self.marks.marks),
            processes=tuple(self._processes.events()),
            users=await asyncio.to_thread(self._load.summary),
            seen=tuple(self.door.seen),
            end=end,
            standing=await self._standing(),
            started_runs=len(set(self._starts)),
            lost=self._place.proxies.lost - self._lost_before,
            seconds=seconds,
            recovered_s=recovered_s,
        )

    async def _standing(self) -> str:
        ask = ListReleases(env=ENV, service=SERVICE)
        found = (await self._clerk.releases(ReleaseRequest(ask=ask))).releases
        return next((str(r.standing) for r in found if r.version == "v2"), "unknown")
