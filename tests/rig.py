"""A worker on the real Temporal server, with stand-ins behind it: for tests of order."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, Worker

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from rollback_manager import contract
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from tests.stand_ins import StandInService
from workers import wiring
from workers.plugin import plugin
from workers.settings import Settings
from workers.worker import make_worker

POLICY: dict[str, object] = {
    "approval": {"required": False, "deadline_s": 30},
    "verification": {"min_window_s": 0, "max_window_s": 5},
    "timeouts": {"prepare_s": 3, "redirect_traffic_s": 3, "drain_s": 3, "heartbeat_s": 2},
}
"""Real durations of a second or two instead of a fake clock."""


@dataclass
class Rig:
    """One service of its own name, so that no two tests share a lock."""

    client: Client
    service: str
    world: StandInService
    records: SqlRecords
    settings: Settings
    policy: dict[str, object]
    cached: int

    @property
    def rollbacks(self) -> RollbackClient:
        """The product's own client."""
        return RollbackClient(self.client, task_queue=self.settings.task_queue)

    def worker(self) -> Worker:
        """A worker; several may run at once."""
        parts = wiring.Parts(
            catalogue(self.service, self.policy), self.records, lambda _env, _s: self.world.target()
        )
        return make_worker(self.client, self.settings, parts, max_cached_workflows=self.cached)

    def request(self, **more: object) -> RollbackRequest:
        """A request for this service, with a key of its own."""
        words = {
            "env": "test",
            "services": (self.service,),
            "key": f"k-{uuid.uuid4().hex[:8]}",
            "requested_by": "test",
        }
        return RollbackRequest.model_validate({**words, **more})

    async def start(self, **more: object) -> Rollback:
        """Start a rollback of this service."""
        return await self.rollbacks.start(self.request(**more))

    async def histories(self, rollback: Rollback) -> list[WorkflowHistory]:
        """The parent's history, then the child's."""
        child = contract.service_id("test", self.service)
        return [
            await rollback.history(),
            await self.client.get_workflow_handle(child).fetch_history(),
        ]

    async def replay(self, rollback: Rollback) -> list[WorkflowHistory]:
        """Both histories, once they have been replayed without a difference."""
        histories = await self.histories(rollback)
        for history in histories:
            await replayer().replay_workflow(history)
        return histories


def replayer() -> Replayer:
    """Replays with the same plugin as every worker."""
    return Replayer(workflows=[], plugins=[plugin()])


def catalogue(service: str, policy: dict[str, object]) -> Catalogue:
    """A catalogue of one service; its addresses lead nowhere and are never asked."""
    return Catalogue.model_validate(
        {
            "version": 1,
            "environments": {"test": {"policy": policy}},
            "services": {
                service: {
                    "strategy": "blue_green",
                    "environments": {
                        "test": {
                            "workloads": {"kind": "supervisord", "socket": "/x", "program": "x"},
                            "traffic": {
                                "kind": "envoy",
                                "admin": "http://127.0.0.1:1",
                                "routes": "/x",
                                "route": "x",
                            },
                        }
                    },
                }
            },
        }
    )


def release(version: str, standing: Standing, minutes_ago: int) -> Release:
    """A recorded release with a baseline, as old as that."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return Release(
        version=version,
        digest=f"sha256:{version}",
        recorded_at=at,
        recorded_by="test",
        standing=standing,
        because="4 s without an error",
        restore_point=RestorePoint(
            digest=f"sha256:{version}", instances=3, shares={version: 100}, taken_at=at
        ),
        baseline=Baseline(
            requests=10_000,
            error_ratio=0.0,
            latency_p95_ms=10,
            requests_per_s=100,
            window_s=100,
            taken_at=at,
        ),
    )


@contextlib.asynccontextmanager
async def rig(
    client: Client, folder: Path, *, cached: int, policy: dict[str, object] | None = None
) -> AsyncIterator[Rig]:
    """v1 verified and warm, v2 bad with all the traffic; a worker runs."""
    service = f"s{uuid.uuid4().hex[:8]}"
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    records = SqlRecords(engine)
    records.save_release("test", service, release("v1", Standing.VERIFIED, 60))
    records.save_release("test", service, release("v2", Standing.CANDIDATE, 5))
    world = StandInService(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})
    settings = Settings(data=folder, task_queue=f"q-{service}")
    made = Rig(client, service, world, records, settings, {**POLICY, **(policy or {})}, cached)
    async with made.worker():
        yield made
    engine.dispose()


def with_policy(made: Rig, **policy: object) -> Rig:
    """The same rig under another policy; its worker must be started anew."""
    return replace(made, policy={**made.policy, **policy})
