"""Many services without any process behind them, on a real Temporal server: for proofs of order."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities import metrics, reconciler
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.notifications import Channels
from proof.stand_ins import StandInService
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from workers import wiring
from workers.channels import no_channels
from workers.failures import Failures
from workers.plugin import plugin
from workers.settings import Settings
from workers.worker import make_worker

POLICY: Mapping[str, object] = {
    "approval": {"required": False, "deadline_s": 120},
    "verification": {"min_window_s": 0, "max_window_s": 5, "throughput_floor": 0},
    "timeouts": {"prepare_s": 30, "redirect_traffic_s": 30, "drain_s": 120, "heartbeat_s": 10},
}
"""Durations for a stand-in, generous where a loaded machine must not decide the course."""

AT_ONCE = timedelta(seconds=0.05)

LOOKS_EVERY_S = 0.05
"""A stand-in answers at once: shorter pauses between looks make the same course."""


@dataclass
class Fleet:
    """Services in an environment of their own: no two fleets share a lock or a budget."""

    client: Client
    env: str
    worlds: dict[str, StandInService]
    records: SqlRecords
    settings: Settings
    catalogue: Catalogue
    channels: Channels = no_channels

    @property
    def rollbacks(self) -> RollbackClient:
        """The product's own client."""
        return RollbackClient(self.client, task_queue=self.settings.task_queue)

    @property
    def parts(self) -> wiring.Parts:
        """What activities work with."""
        return wiring.Parts(
            self.catalogue,
            self.records,
            lambda _env, service: self.worlds[service].target(),
            channels=self.channels,
        )

    def worker(self, *, cached: int = 1000) -> Worker:
        """A worker of the product; several may run at once."""
        return make_worker(self.client, self.settings, self.parts, max_cached_workflows=cached)

    def activities(self) -> Sequence[Callable[..., Any]]:
        """All of them, wired as a worker wires them."""
        temporal = wiring.temporal(self.client, self.settings.task_queue)
        return wiring.activities(self.parts, temporal)

    def activity_worker(self) -> Worker:
        """Carries steps out, and takes no workflow task. A cancel reaches a step at once."""
        return Worker(
            self.client,
            task_queue=self.settings.task_queue,
            activities=wiring.activities(
                self.parts, wiring.temporal(self.client, self.settings.task_queue)
            ),
            activity_executor=ThreadPoolExecutor(max_workers=200),
            interceptors=[Failures()],
            default_heartbeat_throttle_interval=AT_ONCE,
            max_heartbeat_throttle_interval=AT_ONCE,
        )

    def workflow_worker(self) -> Worker:
        """Takes workflow tasks with their short work, and carries no step out."""
        return Worker(
            self.client,
            task_queue=self.settings.task_queue,
            plugins=[
                plugin(
                    wiring.activities(
                        self.parts, wiring.temporal(self.client, self.settings.task_queue)
                    )
                )
            ],
            activity_executor=ThreadPoolExecutor(max_workers=50),
            no_remote_activities=True,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=0.5),
        )

    def request(self, service: str, **more: object) -> RollbackRequest:
        """A request for that service, with a key of its own."""
        words = {
            "env": self.env,
            "services": (service,),
            "key": f"k-{uuid.uuid4().hex[:12]}",
            "requested_by": "bench",
        }
        return RollbackRequest.model_validate({**words, **more})

    async def start(self, service: str, **more: object) -> Rollback:
        """Start a rollback of that service."""
        return await self.rollbacks.start(self.request(service, **more))


@asynccontextmanager
async def fleet(
    client: Client,
    folder: Path,
    *,
    services: int,
    fleet: Mapping[str, object] | None = None,
    policy: Mapping[str, object] | None = None,
    policies: Sequence[Mapping[str, object]] = (),
    decisions: Mapping[str, object] | None = None,
) -> AsyncIterator[Fleet]:
    """In each service v1 is verified and warm, and v2 is bad and has all the traffic.

    fleet, policy, decisions: of the environment, on top of the defaults; policies: of the services,
    in their order. No worker runs yet.
    """
    mark = uuid.uuid4().hex[:8]
    names = [f"s{number}-{mark}" for number in range(services)]
    env = f"env-{mark}"
    engine = engine_for(f"sqlite:///{folder / f'{mark}.sqlite'}")
    upgrade(engine)
    records = SqlRecords(engine)
    for name in names:
        records.save_release(env, name, release("v1", Standing.VERIFIED, 60))
        records.save_release(env, name, release("v2", Standing.CANDIDATE, 5))
    environment = {
        "policy": {**POLICY, **(policy or {})},
        "fleet": fleet or {},
        "decisions": decisions or {},
    }
    own = dict(zip(names, policies, strict=False))
    yield Fleet(
        client,
        env,
        {name: well_known() for name in names},
        records,
        Settings(data=folder, task_queue=f"q-{mark}"),
        catalogue(env, environment, {name: own.get(name, {}) for name in names}),
    )
    engine.dispose()


@contextmanager
def quick_looks() -> Iterator[None]:
    """Within it, activities of this process look at stand-ins oftener than at real targets."""
    modules = [vars(module) for module in (reconciler, metrics)]
    before = [names["POLL_S"] for names in modules]
    for names in modules:
        names["POLL_S"] = LOOKS_EVERY_S
    try:
        yield
    finally:
        for names, pause in zip(modules, before, strict=True):
            names["POLL_S"] = pause


def well_known() -> StandInService:
    """A service whose v2 is bad and whose v1 is warm."""
    return StandInService(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})


def catalogue(
    env: str, environment: Mapping[str, object], services: Mapping[str, Mapping[str, object]]
) -> Catalogue:
    """A catalogue whose addresses lead nowhere and are never asked; services: their policies."""
    target = {
        "workloads": {"kind": "supervisord", "socket": "/x", "program": "x"},
        "traffic": {"kind": "envoy", "admin": "http://127.0.0.1:1", "routes": "/x", "route": "x"},
    }
    placed = {
        name: {"strategy": "blue_green", "environments": {env: {**target, "policy": policy}}}
        for name, policy in services.items()
    }
    return Catalogue.model_validate(
        {"version": 1, "environments": {env: environment}, "services": placed}
    )


def release(version: str, standing: Standing, minutes_ago: int) -> Release:
    """A recorded release with a baseline, as old as that."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return Release(
        version=version,
        digest=f"sha256:{version}",
        recorded_at=at,
        recorded_by="bench",
        standing=standing,
        because="recorded for a proof",
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
