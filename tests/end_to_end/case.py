"""One rollback under watch: its workers, its users, its witnesses, and what they saw."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Self

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from demo.load import Load
from demo.world import World
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import AbortCommand, RollbackRequest, rollback_id, service_id
from rollback_manager.errors import TemporaryError
from rollback_manager.progress import RollbackOutcome
from tests.end_to_end.killable import Workers
from tests.end_to_end.oracle import Account, End, Happened
from tests.end_to_end.witnesses import Distributor, FrontDoor, Processes, RouteFile, look_at_envoy

ENV = "test"
CHILD = service_id(ENV, "shop")
RATE = 220.0
READY_S = 30.0
REACHED_S = 30.0
ENDS_S = 75.0
"""Many times what each takes, for a loaded machine."""
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED


@dataclass(frozen=True)
class Place:
    """Where all cases happen."""

    folder: Path
    world: World
    late_routes: Path
    catalogues: dict[str, Path]
    workers: Workers
    client: Client


class Case:
    """Users and witnesses are there as long as the block lasts; then `leave`."""

    def __init__(self, place: Place, kind: str, number: int, *, late: bool) -> None:
        self._place, self._key = place, f"case-{number}"
        self._catalogue = place.catalogues[kind]
        self._stack = contextlib.ExitStack()
        self._names: list[str] = []
        self._rollbacks = RollbackClient(place.client, task_queue=self._key)
        self.late = late
        self.doomed = f"doomed-{number}"

    def __enter__(self) -> Self:
        world, place = self._place.world, self._place
        with contextlib.ExitStack() as stack:
            file = place.late_routes if self.late else world.routes_file
            self.distributor = Distributor(place.late_routes, world.routes_file)
            if self.late:
                stack.enter_context(self.distributor)
            self.routes = stack.enter_context(RouteFile(file))
            self.door = stack.enter_context(FrontDoor(world.admin_url, world.service))
            self._processes = Processes(world.supervisord_log)
            users = place.folder / f"{self._key}.jsonl"
            self._load = Load(f"{world.front_url}/", users, rate=RATE)
            self._since = time.monotonic()
            stack.enter_context(self._load)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def leave(self) -> None:
        """End what still runs, so that one violation does not become those of all cases."""
        self._place.workers.end(*self._names)
        for left_over in (rollback_id(ENV, self._key), CHILD):
            with contextlib.suppress(RPCError):
                await self._place.client.get_workflow_handle(left_over).terminate()

    def start_worker(self) -> None:
        """A worker of the product on this case's queue."""
        self._names.append(f"worker-of-{self._key}")
        self._place.workers.start(self._names[-1], self._catalogue, self._key)

    def start_doomed(self, activity: str, at: str) -> None:
        """A worker that will die or freeze at that point, and works from `start` on."""
        self._names.append(self.doomed)
        self._place.workers.start_doomed(
            self.doomed, self._catalogue, self._key, (activity, at), self._begin
        )

    @property
    def _begin(self) -> Path:
        return self._place.folder / f"{self._key}.begin"

    async def start(self) -> Rollback:
        """Once the one worker is ready: the request, as CI would send it."""
        (name,) = self._names
        ready = "worker is ready"
        await self.until(f"{name} is ready", lambda: ready in self.said(name), READY_S)
        self._begin.touch()
        request = RollbackRequest(
            env=ENV,
            services=("shop",),
            key=self._key,
            requested_by="ci:bench",
            reason="errors",
        )
        return await self._rollbacks.start(request)

    @property
    def worker_lives(self) -> bool:
        """Whether the newest worker of this case still runs."""
        return self._place.workers.exit_code(self._names[-1]) is None

    def said(self, name: str) -> str:
        """What a worker wrote so far."""
        return self._place.workers.said(name)

    async def until_dead(self) -> None:
        """Until the doomed worker has reached its point."""
        code = self._place.workers.exit_code
        what = f"{self.doomed} reaches its point"
        await self.until(what, lambda: code(self.doomed) is not None, REACHED_S)
        assert code(self.doomed) == -signal.SIGKILL, self.said(self.doomed)

    async def until_frozen(self) -> None:
        """Until the doomed worker has stopped at its point."""
        frozen = self._place.workers.is_frozen
        await self.until(f"{self.doomed} is frozen", lambda: frozen(self.doomed), REACHED_S)

    async def thaw(self) -> str:
        """Let the frozen worker make its late write; in its own words what became of it."""
        self._place.workers.thaw(self.doomed)
        words = "late write: "
        await self.until(words, lambda: words in self.said(self.doomed), REACHED_S)
        await asyncio.sleep(0.5)  # for Envoy, were there anything to take up
        return self.said(self.doomed).partition(words)[2].splitlines()[0]

    async def abort_child(self, command: AbortCommand) -> None:
        """Tell the service's own workflow, so that it knows before its step has ended."""
        await self._place.client.get_workflow_handle(CHILD).signal("abort", command)

    async def until(self, what: str, holds: Callable[[], bool], within_s: float = ENDS_S) -> None:
        """Wait for it without keeping Temporal's watchdog from its work."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
            await asyncio.sleep(0.01)

    async def until_runs(self, activity: str, attempt: int = 1) -> None:
        """Until Temporal has given that activity to a worker, for at least so many times."""
        async with asyncio.timeout(ENDS_S):
            while await self._attempt(activity) < attempt:
                await asyncio.sleep(0.02)

    async def _attempt(self, activity: str) -> int:
        handle = self._place.client.get_workflow_handle(CHILD)
        try:
            seen = await handle.describe()
        except RPCError:
            return 0
        pending = seen.raw_description.pending_activities
        under_way = [one for one in pending if one.state == STARTED]
        return max(
            (one.attempt for one in under_way if one.activity_type.name == activity), default=0
        )

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
            logs = "\n".join(f"{name}: {self.said(name)[-2000:]}" for name in self._names)
            events = [(h.kind, h.activity, h.attempt) for h in (await self._history())[-8:]]
            raise AssertionError(f"no end in {ENDS_S:g} s; {events}\n{logs}") from None

    async def account(self, rollback: Rollback, killed: float | None = None) -> Account:
        """Wait for the end of the rollback, let the world come to rest, and tell everything."""
        outcome = await self.outcome(rollback)
        recovered_s = None if killed is None else time.monotonic() - killed
        end = await asyncio.to_thread(self._rest)
        self._load.stop()
        seconds = time.monotonic() - self._since
        return Account(
            outcome=outcome,
            history=await self._history(),
            written=tuple(self.routes.versions),
            processes=tuple(self._processes.events()),
            users=self._load.summary(),
            seen=tuple(self.door.seen),
            end=end,
            seconds=seconds,
            recovered_s=recovered_s,
        )

    def _rest(self) -> End:
        """The world when no process starts or ends any more."""
        world, before = self._place.world, None
        deadline = time.monotonic() + 10
        while before != (now := (world.pids(), self._processes.events())):
            assert time.monotonic() < deadline, f"the world does not come to rest: {now}"
            before = now
            time.sleep(1.0)
        port = int(world.admin_url.rpartition(":")[2])
        seen = look_at_envoy(port, world.service)
        return End(
            shares={
                name.removeprefix("shop-"): part for name, part in seen.weights.items() if part
            },
            ready={v: min(world.ready(v), world.healthy(v)) for v in ("v1", "v2")},
        )

    async def _history(self) -> tuple[Happened, ...]:
        handle = self._place.client.get_workflow_handle(CHILD)
        events = (await handle.fetch_history()).events
        scheduled = {
            event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
            for event in events
            if event.HasField("activity_task_scheduled_event_attributes")
        }
        return tuple(_happened(event, scheduled) for event in events)


def _happened(event: HistoryEvent, scheduled: dict[int, str]) -> Happened:
    kind = str(event.WhichOneof("attributes")).removesuffix("_event_attributes")
    facts = getattr(event, f"{kind}_event_attributes")
    about = getattr(facts, "scheduled_event_id", event.event_id)
    return Happened(
        at=event.event_time.ToDatetime(UTC),
        kind=kind,
        activity=scheduled.get(about, ""),
        attempt=int(getattr(facts, "attempt", 0)),
    )
