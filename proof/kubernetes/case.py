"""One rollback on the cluster under watch, in a namespace of its own."""

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from demo.kubernetes.api import Api, Refused
from demo.kubernetes.audit import WRITES, Call
from demo.kubernetes.control_plane import ControlPlane
from demo.kubernetes.pods import is_ready
from proof.faults.api_server import ApiProxy
from proof.faults.proxy import Proxies
from proof.kill_matrix.crew import REACHED_S, Crew
from proof.kill_matrix.evidence import history
from proof.kill_matrix.killable import Workers
from proof.kill_matrix.points import Moment, Point
from proof.kill_matrix.worker import Order
from proof.kubernetes import account as accounts
from proof.kubernetes import releases
from proof.kubernetes.account import Account, End
from proof.kubernetes.counting import Counting
from proof.kubernetes.deployed import DEPLOYED_S, Objects, by_version
from proof.kubernetes.placement import Placement, write_catalogue
from proof.kubernetes.strike import Strike
from proof.kubernetes.users import Users
from rollback_manager.client import Rollback
from rollback_manager.progress import RollbackOutcome, State
from workers.settings import Settings

ASKED_S = 1.0
RESTS_S, CALM = 30.0, 3
SETTLED_S = 1.2
"""Two scrapes and a little: counters that users have are then known to grow."""


@dataclass(frozen=True)
class Place:
    """What all cases share. temporal: addresses of the server itself, and of a proxy before it."""

    folder: Path
    plane: ControlPlane
    api: Api
    counting: Counting
    workers: Workers
    client: Client
    temporal: tuple[str, str]
    proxies: Proxies
    _reads: threading.Lock = field(default_factory=threading.Lock)

    def calls(self, namespace: str, since: int) -> list[Call]:
        """What the audit log has of a namespace; cases ask for it side by side."""
        with self._reads:
            return self.plane.ledger.calls(namespace, since)

    def calls_so_far(self) -> int:
        """A mark for `since`."""
        with self._reads:
            return len(self.plane.ledger)


class Case(Crew):
    """Objects, users and records are there as long as the block lasts; then `leave`."""

    def __init__(self, place: Place, placement: Placement, key: str) -> None:
        super().__init__(place.workers, place.client, place.folder, key, key, self._order)
        self.placement = placement
        self.strike: Strike | None = None
        self.through_proxy = False
        """Whether workers that are not to be struck go through the proxy, too."""
        self._place = place
        self._stack = contextlib.ExitStack()
        self.data = place.folder / key
        self.proxy = ApiProxy(place.plane.kubeconfig())
        self._objects = Objects(place.api, key, placement)

    async def __aenter__(self) -> Self:
        """Deploy, let users come, and record both releases."""
        with contextlib.ExitStack() as stack:
            self.data.mkdir()
            stack.enter_context(self.proxy)
            self._direct = self._catalogue("direct", self._place.plane.kubeconfig())
            self.proxy.kubeconfig_in(self.kubeconfig)
            self._proxied = self._catalogue("proxied", self.kubeconfig)
            await asyncio.to_thread(self._objects.deploy)
            self._generations = await asyncio.to_thread(self._objects.counted)
            self._users = Users(self._place.api, self.key, self.placement)
            stack.enter_context(self._users)
            self._place.counting.pages[self.key] = self._users.page
            settings = Settings(catalogue=self._direct, data=self.data)
            await asyncio.to_thread(releases.record, settings, self.key)
            await asyncio.sleep(SETTLED_S)
            await self.until("users are sent to all pods", self._users.are_served, DEPLOYED_S)
            self._users.seen.clear()
            self._users.sent = self._users.failed = 0.0
            self._since = time.monotonic()
            self._ledger_from = await asyncio.to_thread(self._place.calls_so_far)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """They go; so does the namespace, for which nobody waits."""
        if self.strike is not None:
            self.strike.thaw()
        self._place.counting.pages.pop(self.key, None)
        await asyncio.to_thread(self._stack.close)
        with contextlib.suppress(Refused):  # it is on its way out already
            await asyncio.to_thread(self._place.api.delete, f"/api/v1/namespaces/{self.key}")

    def start_worker(self, point: Point | None = None, *, at_once: bool = True) -> str:
        """As of any crew; what a point strikes is the proxy's doing, but for `after the record`."""
        if point is not None and point.moment is not Moment.RECORDED:
            writes = point.activity in self.placement.writers
            self.strike = Strike(self.proxy, point, writes=writes)
        return super().start_worker(point, at_once=at_once)

    async def until_struck(self) -> None:
        """Until the request of the point was seen."""
        if self.strike is None:
            await super().until_struck()
            return
        what = f"a request of {self.doomed} is the one of the point"
        await self.until(what, self.strike.struck.is_set, REACHED_S)

    async def thaw(self, *, writes: bool = False) -> str:
        """Let the frozen worker go on, and what it had sent arrive."""
        if self.strike is not None:
            self.strike.thaw()
            await self.until("what was held arrives", self.strike.settled.is_set, REACHED_S)
        self._workers.thaw(self.doomed)  # it finds the answer there, however late
        await asyncio.sleep(0.5)
        return ""

    async def outcome(self, rollback: Rollback) -> RollbackOutcome:
        """How it ended; what asks for a person instead will not end by itself."""
        ends = asyncio.create_task(super().outcome(rollback))
        try:
            while not (await asyncio.wait({ends}, timeout=ASKED_S))[0]:
                if await self._asks(rollback):
                    raise AssertionError((await rollback.status()).waits_for)
            return await ends
        finally:
            ends.cancel()

    async def _asks(self, rollback: Rollback) -> bool:
        seen = await self._client.get_workflow_handle(rollback.id).describe()
        key = SearchAttributeKey.for_keyword("RollbackState")
        return seen.typed_search_attributes.get(key) == State.NEEDS_HUMAN

    @property
    def kubeconfig(self) -> Path:
        """With which workers come to the proxy."""
        return self.data / "kubeconfig"

    def _catalogue(self, name: str, kubeconfig: Path) -> Path:
        file = self.data / f"{name}.yaml"
        return write_catalogue(file, self.placement, self.key, kubeconfig, self._place.counting.url)

    def _order(
        self, name: str, begin: Path, *, point: Point | None = None, without: str = ""
    ) -> Order:
        """Only a worker that is to be disturbed goes through proxies."""
        place = self._place
        return Order(
            name=name,
            log=place.workers.log(name),
            catalogue=self._proxied if point or self.through_proxy else self._direct,
            data=self.data,
            queue=self.key,
            temporal=place.temporal[1] if point else place.temporal[0],
            begin=begin,
            control=place.proxies.control,
            point=point,
            without=without,
            steps=self.proxy.url if point else "",
        )

    async def account(self, rollback: Rollback, since: float | None = None) -> Account:
        """Wait for the end of the rollback, let the cluster come to rest, and tell everything."""
        outcome = await self.outcome(rollback)
        recovered_s = None if since is None else time.monotonic() - since
        if self.strike is not None:
            await self.until("nothing is under way", self.strike.settled.is_set, REACHED_S)
        end = await asyncio.to_thread(self._at_rest)
        await asyncio.to_thread(self._users.leave)
        calls = await asyncio.to_thread(self._place.calls, self.key, self._ledger_from)
        ours = [call for call in calls if call.agent == accounts.US and call.verb in WRITES]
        return Account(
            strategy=self.key,
            outcome=outcome,
            history=await history(self._client, self.child),
            writes=accounts.writes(ours, self._objects.standing()),
            refused=sum(not call.changed for call in ours),
            seen=tuple(self._users.seen),
            sent=self._users.sent,
            failed=self._users.failed,
            end=end,
            standing=await asyncio.to_thread(releases.called, Settings(data=self.data), self.key),
            started_runs=len(set(self._starts)),
            seconds=time.monotonic() - self._since,
            recovered_s=recovered_s,
            struck=self.strike.where if self.strike else "",
            late=self.strike.late if self.strike else None,
        )

    def _at_rest(self) -> End:
        """Once nothing has changed for a second."""
        before, calm = self._end(), 0
        deadline = time.monotonic() + RESTS_S
        while calm < CALM:
            time.sleep(0.3)
            now = self._end()
            calm, before = (calm + 1 if now == before else 0), now
            assert time.monotonic() < deadline, f"the cluster does not come to rest: {now}"
        return before

    def _end(self) -> End:
        pods, counted = self._objects.pods(), self._objects.counted()
        return End(
            parts=self._users.seen[-1].parts,
            ready=by_version(pods, is_ready),
            pods=by_version(pods, lambda _: True),
            changes={
                name: number - self._generations[name]
                for name, number in counted.items()
                if number != self._generations[name]
            },
        )
