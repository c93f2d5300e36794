"""One rollback under watch: its workers, its users, its witnesses, and what they saw."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from temporalio.client import Client
from temporalio.service import RPCError

from demo.load import Load
from demo.world import World
from proof.faults.proxy import Proxies
from proof.kill_matrix.account import Account
from proof.kill_matrix.doomed import LATE, STRUCK
from proof.kill_matrix.evidence import at_rest, attempt_under_way, history
from proof.kill_matrix.killable import Workers
from proof.kill_matrix.oracle import RATE
from proof.kill_matrix.placement import ENV, SERVICE
from proof.kill_matrix.points import Point
from proof.kill_matrix.witnesses import (
    Distributor,
    FrontDoor,
    MarkFile,
    Processes,
    RouteFile,
)
from proof.kill_matrix.worker import READY, Order
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import (
    AbortCommand,
    AdoptRequest,
    ListReleases,
    ReleaseRequest,
    RollbackRequest,
    rollback_id,
    service_id,
)
from rollback_manager.errors import RollbackError, TemporaryError
from rollback_manager.progress import RollbackOutcome

CHILD = service_id(ENV, SERVICE)
READY_S = 60.0
REACHED_S = 60.0
ENDS_S = 120.0
"""Many times what each takes, for a loaded machine."""


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


class Orders(Protocol):
    """Makes the order for a worker of this case."""

    def __call__(
        self, name: str, begin: Path, *, point: Point | None = None, without: str = ""
    ) -> Order:
        """A worker that works once `begin` exists."""


class Case:
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
        self.key, self.strategy, self.late = key, strategy, late
        self._place, self._clerk, self._orders = place, clerk, orders
        self._stack = contextlib.ExitStack()
        self._names: list[str] = []
        self._starts: list[str] = []
        self.rollbacks = RollbackClient(place.client, task_queue=key)
        self.doomed = f"doomed-of-{key}"
        self.without = ""

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
        """End what still runs, so that one violation does not become those of all cases."""
        await asyncio.to_thread(self._place.workers.kill, *self._names)
        ended = False
        for left_over in {rollback_id(ENV, self.key), CHILD, *self._starts}:
            with contextlib.suppress(RPCError):
                await self._place.client.get_workflow_handle(left_over).terminate()
                ended = True
        if ended:  # its claim would block whoever comes next
            with contextlib.suppress(RollbackError):
                await self._clerk.left(AdoptRequest(env=ENV, service=SERVICE, give_back=True))

    def start_worker(self, point: Point | None = None, *, at_once: bool = True) -> str:
        """A worker on this case's queue; with a point, one that is disturbed there; its name."""
        name = self.doomed if point else f"worker-{len(self._names)}-of-{self.key}"
        self._names.append(name)
        begin = self._begin if at_once else self._begin.with_name(f"{name}.begin")
        self._place.workers.start(self._orders(name, begin, point=point, without=self.without))
        return name

    def let_work(self, name: str) -> None:
        """Let a worker begin that was not to begin at once."""
        self._begin.with_name(f"{name}.begin").touch()

    @property
    def _begin(self) -> Path:
        return self._place.folder / f"{self.key}.begin"

    async def until_ready(self) -> None:
        """Until the first worker is ready; then it works."""
        first = self._names[0]
        await self.until(f"{first} is ready", lambda: READY in self.said(first), READY_S)
        self._begin.touch()

    def request(self, key: str = "") -> RollbackRequest:
        """As CI would send it."""
        return RollbackRequest(
            env=ENV,
            services=(SERVICE,),
            key=key or self.key,
            requested_by="ci:bench",
            reason="errors",
        )

    async def planned(self) -> tuple[str, ...]:
        """The activities of the plan here and now, in order, as the product itself plans."""
        await self.until_ready()
        planned = await self.rollbacks.plan(self.request(f"{self.key}-plan"))
        assert planned.plan is not None, planned.blocked_because
        return tuple(action.name for action in planned.plan.services[0].actions)

    async def start(self, key: str = "") -> Rollback:
        """Once the first worker is ready: the request."""
        await self.until_ready()
        rollback = await self.rollbacks.start(self.request(key))
        self._starts.append(rollback.id)
        return rollback

    @property
    def world(self) -> World:
        """The deployer's hand, for what happens beside the rollback."""
        return self._place.world

    @property
    def worker_lives(self) -> bool:
        """Whether the newest worker of this case still runs."""
        return bool(self._place.workers.state(self._names[-1]))

    def said(self, name: str) -> str:
        """What a worker wrote so far."""
        return self._place.workers.said(name)

    async def until_struck(self) -> None:
        """Until the doomed worker has reached its point."""
        what = f"{self.doomed} reaches its point"
        await self.until(what, lambda: STRUCK in self.said(self.doomed), REACHED_S)

    async def until_state(self, state: str) -> None:
        """Until the doomed worker is dead (""), or frozen ("T")."""
        workers, what = self._place.workers, f"{self.doomed} is in state {state!r}"
        await self.until(what, lambda: workers.state(self.doomed) == state, REACHED_S)

    async def thaw(self, *, writes: bool) -> str:
        """Let the frozen worker go on; in its own words what became of its late write."""
        self._place.workers.thaw(self.doomed)
        if writes:
            await self.until(LATE, lambda: LATE in self.said(self.doomed), REACHED_S)
        await asyncio.sleep(0.5)  # for Envoy, were there anything to take up
        found = self.said(self.doomed).partition(LATE)[2].splitlines()
        return found[0] if found else ""

    async def abort_child(self, command: AbortCommand) -> None:
        """Tell the service's own workflow, so that it knows before its step has ended."""
        await self._place.client.get_workflow_handle(CHILD).signal("abort", command)

    async def until(self, what: str, holds: Callable[[], bool], within_s: float = ENDS_S) -> None:
        """Wait for it without keeping Temporal's watchdog from its work."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, self._in_vain(what, within_s)
            await asyncio.sleep(0.02)

    def _in_vain(self, what: str, within_s: float) -> str:
        logs = "\n".join(f"{name}: {self.said(name)[-600:]}" for name in self._names)
        return f"not within {within_s:g} s: {what}\n{logs}"

    async def until_runs(self, activity: str, attempt: int = 1) -> None:
        """Until Temporal has given that activity to a worker, for at least so many times."""
        async with asyncio.timeout(ENDS_S):
            while await attempt_under_way(self._place.client, CHILD, activity) < attempt:
                await asyncio.sleep(0.02)

    async def until_done(self, point: Point) -> None:
        """Until the step of the point is completed, or the service's rollback is over."""
        async with asyncio.timeout(ENDS_S):
            while not await self._is_done(point):
                await asyncio.sleep(0.2)

    async def _is_done(self, point: Point) -> bool:
        """Steps are completed in order; those that were there already leave no event."""
        events = await history(self._place.client, CHILD)
        of_kind = [h for h in events if h.activity == point.activity]
        started = [h.attempt for h in of_kind if h.kind == "activity_task_started"]
        over = any(h.kind == "workflow_execution_completed" for h in events)
        return over or max(started, default=0) > 1

    async def outcome(self, rollback: Rollback) -> RollbackOutcome:
        """How it ended, asked for until Temporal is there to say so."""
        try:
            async with asyncio.timeout(ENDS_S):
                while True:
                    try:
                        return await rollback.result()
                    except (TemporaryError, RPCError):
                        await asyncio.sleep(0.2)
        except TimeoutError:
            events = [
                (h.kind, h.activity, h.attempt)
                for h in (await history(self._place.client, CHILD))[-8:]
            ]
            raise AssertionError(self._in_vain(f"the end; {events}", ENDS_S)) from None

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
            history=await history(self._place.client, CHILD),
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
