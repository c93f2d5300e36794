"""As tests/rig.py, for several services in one rollback."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from proof.stand_ins import InterruptedRecords, StandInService
from rollback_manager import contract
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest, StepCommand
from rollback_manager.progress import (
    EndState,
    RollbackOutcome,
    RollbackStatus,
    ServiceOutcome,
    State,
)
from rollback_manager.release import Standing
from tests.rig import PATIENCE_S, POLICY, called, quick, release, replayer
from tests.rig import catalogue as of_one
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker


@dataclass
class FleetRig:
    """Services by the short names of a test; in the catalogue each has the rig's mark behind it.

    order: every write of any of them, in the order in which they were made.
    """

    client: Client
    mark: str
    worlds: dict[str, StandInService]
    records: SqlRecords
    settings: Settings
    catalogue: Catalogue
    order: list[str]
    cached: int

    def name(self, short: str) -> str:
        """The name of that service in the catalogue."""
        return f"{short}-{self.mark}"

    def names(self, *short: str) -> tuple[str, ...]:
        """The names of those services in the catalogue."""
        return tuple(map(self.name, short))

    @property
    def rollbacks(self) -> RollbackClient:
        """The product's own client."""
        return RollbackClient(self.client, task_queue=self.settings.task_queue)

    def worker(self) -> Worker:
        """A worker with all of them behind it."""
        parts = wiring.Parts(
            self.catalogue,
            self.records,
            lambda _env, service: self.worlds[service.removesuffix(f"-{self.mark}")].target(),
        )
        return make_worker(self.client, self.settings, parts, max_cached_workflows=self.cached)

    def request(self, *short: str, **more: object) -> RollbackRequest:
        """A request for those services, with a key of its own."""
        words = {
            "env": "test",
            "services": self.names(*short),
            "key": f"k-{uuid.uuid4().hex[:8]}",
            "requested_by": "test",
        }
        return RollbackRequest.model_validate({**words, **more})

    async def start(self, *short: str, **more: object) -> Rollback:
        """Start a rollback of those services."""
        return await self.rollbacks.start(self.request(*short, **more))

    def child(self, short: str) -> WorkflowHandle[object, object]:
        """A service's own workflow, the newest of its id."""
        return self.client.get_workflow_handle(contract.service_id("test", self.name(short)))

    async def until(
        self, rollback: Rollback, holds: Callable[[RollbackStatus], bool] | State
    ) -> RollbackStatus:
        """The first status of that state, or of which that holds, of the parent alone."""
        handle = self.client.get_workflow_handle(rollback.id)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                seen = await handle.describe()
                if not seen.raw_description.HasField("pending_workflow_task"):
                    status: RollbackStatus = await handle.query(
                        "status", result_type=RollbackStatus
                    )
                    if status.state is holds if isinstance(holds, State) else holds(status):
                        return status
                await asyncio.sleep(0.05)

    async def answer(self, rollback: Rollback, verb: str, step: str, short: str = "") -> bool:
        """`retry_step` or `skip_step` by update, of a service or of a wave; whether it applied."""
        command = StepCommand(step=step, by="anna", reason="mended")
        return (await rollback.step(verb, self.name(short), command)).applied

    async def told(self, short: str, signal: str) -> None:
        """Until that signal is in the history of the service's workflow."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(
                event.workflow_execution_signaled_event_attributes.signal_name == signal
                for event in (await self.child(short).fetch_history()).events
            ):
                await asyncio.sleep(0.05)

    async def collided(self, rollback: Rollback) -> None:
        """Until its history says that somebody else holds one of the locks."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(
                event.HasField("start_child_workflow_execution_failed_event_attributes")
                for event in (await rollback.history()).events
            ):
                await asyncio.sleep(0.05)

    async def outcome(self, short: str) -> ServiceOutcome:
        """How the service's own workflow ended, whatever became of its parent."""
        handle = self.client.get_workflow_handle(self.child(short).id, result_type=ServiceOutcome)
        outcome: ServiceOutcome = await handle.result()
        return outcome

    async def seen(self, holds: Callable[[], bool]) -> None:
        """Until that holds of the worlds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.02)

    async def ends_as(self, rollback: Rollback, **ends: EndState) -> RollbackOutcome:
        """The outcome, once the worlds stand as it says and all histories were replayed."""
        outcome = await rollback.result()
        found = {one.service.removesuffix(f"-{self.mark}"): one.end for one in outcome.services}
        assert found == ends, outcome
        assert {short: called(self.worlds[short]) for short in ends} == ends
        await self.replay(rollback)
        return outcome

    async def replay(self, rollback: Rollback) -> None:
        """All histories, replayed without a difference."""
        parent = await rollback.history()
        started = (
            event.child_workflow_execution_started_event_attributes for event in parent.events
        )
        children = [one.workflow_execution for one in started if one.workflow_execution.run_id]
        handles = [
            self.client.get_workflow_handle(one.workflow_id, run_id=one.run_id) for one in children
        ]
        for history in [parent, *[await handle.fetch_history() for handle in handles]]:
            await replayer().replay_workflow(history)

    def in_waves(self, *waves: Sequence[str]) -> bool:
        """Whether no service of a wave wrote before all writes of the waves before it."""
        for before, after in pairwise(waves):
            last = max(n for n, name in enumerate(self.order) if name in before)
            first = min(n for n, name in enumerate(self.order) if name in after)
            if last > first:
                return False
        return True


@contextlib.asynccontextmanager
async def fleet_rig(
    client: Client,
    folder: Path,
    services: Mapping[str, Mapping[str, Sequence[str]]],
    *,
    cached: int = 1000,
    policy: Mapping[str, object] | None = None,
    fleet: Mapping[str, object] | None = None,
    before_records: Callable[[str], None] = lambda _: None,
    changed: Callable[[Catalogue], Catalogue] = lambda known: known,
) -> AsyncIterator[FleetRig]:
    """Each service with v1 verified and warm, v2 bad with all the traffic.

    services: short name → its `deploys_after` and `reads_from`, by short names. before_records:
    called with `claim` and `close` before each; may wait. changed: the catalogue that is used.
    """
    mark = uuid.uuid4().hex[:8]
    engine = engine_for(f"sqlite:///{folder / f'{mark}.sqlite'}")
    upgrade(engine)
    records = InterruptedRecords(engine, before_records)
    order: list[str] = []
    worlds = {}
    for short in services:
        records.save_release("test", f"{short}-{mark}", release("v1", Standing.VERIFIED, 60))
        records.save_release("test", f"{short}-{mark}", release("v2", Standing.CANDIDATE, 5))
        world = StandInService(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})
        world.after_write = lambda _, short=short: order.append(short)  # type: ignore[misc]
        worlds[short] = world
    known = changed(_catalogue(services, mark, {**POLICY, **(policy or {})}, fleet or {}))
    settings = Settings(data=folder, task_queue=f"q-{mark}")
    made = FleetRig(
        client if cached else quick(client), mark, worlds, records, settings, known, order, cached
    )
    async with made.worker():
        yield made
    engine.dispose()


def _catalogue(
    services: Mapping[str, Mapping[str, Sequence[str]]],
    mark: str,
    policy: dict[str, object],
    fleet: Mapping[str, object],
) -> Catalogue:
    tree: dict[str, Any] = {"services": {}}
    for short, ties in services.items():
        name = f"{short}-{mark}"
        one = of_one(name, policy).model_dump()
        own = {kind: [f"{other}-{mark}" for other in others] for kind, others in ties.items()}
        tree = one | {"services": {**tree["services"], name: {**one["services"][name], **own}}}
    tree["environments"]["test"]["fleet"] = fleet
    return Catalogue.model_validate(tree)
