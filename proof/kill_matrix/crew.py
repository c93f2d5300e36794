"""The workers of one rollback under watch: started, struck, frozen, thawed; and what it came to."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from temporalio.client import Client
from temporalio.service import RPCError

from proof.kill_matrix.doomed import LATE, STRUCK
from proof.kill_matrix.evidence import attempt_under_way, history
from proof.kill_matrix.killable import Workers
from proof.kill_matrix.placement import ENV
from proof.kill_matrix.points import Point
from proof.kill_matrix.worker import READY, Order
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import AbortCommand, RollbackRequest, rollback_id, service_id
from rollback_manager.errors import TemporaryError
from rollback_manager.progress import RollbackOutcome

READY_S = 180.0
REACHED_S = 120.0
ENDS_S = 120.0
"""Many times what each takes, for a loaded machine."""


class Orders(Protocol):
    """Makes the order for a worker of this case."""

    def __call__(
        self, name: str, begin: Path, *, point: Point | None = None, without: str = ""
    ) -> Order:
        """A worker that works once `begin` exists."""


class Crew:
    """Workers on a queue of their own, and the rollbacks of one service that they carry out.

    key: name of the queue and of the rollback. folder: for the files that let workers begin.
    """

    def __init__(
        self,
        workers: Workers,
        client: Client,
        folder: Path,
        key: str,
        service: str,
        orders: Orders,
    ) -> None:
        self.key, self.service = key, service
        self._workers, self._client, self._folder = workers, client, folder
        self._orders = orders
        self._names: list[str] = []
        self._starts: list[str] = []
        self.rollbacks = RollbackClient(client, task_queue=key)
        self.child = service_id(ENV, service)
        self.doomed = f"doomed-of-{key}"
        self.without = ""

    async def leave(self) -> None:
        """End what still runs, so that one violation does not become those of all cases."""
        await self.ended()

    async def ended(self) -> bool:
        """Kill the workers and terminate what is left; whether anything was."""
        await asyncio.to_thread(self._workers.kill, *self._names)
        ended = False
        for left_over in {rollback_id(ENV, self.key), self.child, *self._starts}:
            with contextlib.suppress(RPCError):
                await self._client.get_workflow_handle(left_over).terminate()
                ended = True
        return ended

    def start_worker(self, point: Point | None = None, *, at_once: bool = True) -> str:
        """A worker on this case's queue; with a point, one that is disturbed there; its name."""
        name = self.doomed if point else f"worker-{len(self._names)}-of-{self.key}"
        self._names.append(name)
        begin = self._begin if at_once else self._begin.with_name(f"{name}.begin")
        self._workers.start(self._orders(name, begin, point=point, without=self.without))
        return name

    def let_work(self, name: str) -> None:
        """Let a worker begin that was not to begin at once."""
        self._begin.with_name(f"{name}.begin").touch()

    @property
    def _begin(self) -> Path:
        return self._folder / f"{self.key}.begin"

    async def until_ready(self) -> None:
        """Until the first worker is ready; then it works."""
        first = self._names[0]
        await self.until(f"{first} is ready", lambda: READY in self.said(first), READY_S)
        self._begin.touch()

    def request(self, key: str = "") -> RollbackRequest:
        """As CI would send it."""
        return RollbackRequest(
            env=ENV,
            services=(self.service,),
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
    def worker_lives(self) -> bool:
        """Whether the newest worker of this case still runs."""
        return bool(self._workers.state(self._names[-1]))

    def said(self, name: str) -> str:
        """What a worker wrote so far."""
        return self._workers.said(name)

    async def until_struck(self) -> None:
        """Until the doomed worker has reached its point."""
        what = f"{self.doomed} reaches its point"
        await self.until(what, lambda: STRUCK in self.said(self.doomed), REACHED_S)

    async def until_state(self, state: str) -> None:
        """Until the doomed worker is dead (""), or frozen ("T")."""
        what = f"{self.doomed} is in state {state!r}"
        await self.until(what, lambda: self._workers.state(self.doomed) == state, REACHED_S)

    async def thaw(self, *, writes: bool) -> str:
        """Let the frozen worker go on; in its own words what became of its late write."""
        self._workers.thaw(self.doomed)
        if writes:
            await self.until(LATE, lambda: LATE in self.said(self.doomed), REACHED_S)
        await asyncio.sleep(0.5)  # for Envoy, were there anything to take up
        found = self.said(self.doomed).partition(LATE)[2].splitlines()
        return found[0] if found else ""

    async def abort_child(self, command: AbortCommand) -> None:
        """Tell the service's own workflow, so that it knows before its step has ended."""
        await self._client.get_workflow_handle(self.child).signal("abort", command)

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
            while await attempt_under_way(self._client, self.child, activity) < attempt:
                await asyncio.sleep(0.02)

    async def until_done(self, point: Point) -> None:
        """Until the step of the point is completed, or the service's rollback is over."""
        async with asyncio.timeout(ENDS_S):
            while not await self._is_done(point):
                await asyncio.sleep(0.2)

    async def _is_done(self, point: Point) -> bool:
        """Steps are completed in order; those that were there already leave no event."""
        events = await history(self._client, self.child)
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
                for h in (await history(self._client, self.child))[-8:]
            ]
            raise AssertionError(self._in_vain(f"the end; {events}", ENDS_S)) from None
