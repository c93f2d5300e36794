"""Where rollbacks are measured: a dev server as the product starts it, its worker, and targets.

The targets are the stand-ins of the tests, and each call takes LATENCY_S: the real role protocols
and the real activities, but no vendor. The bad version v2 has the traffic; v1 is warm.
"""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.targets import SharesAsSet, Target, VersionState
from benchmarks.minimal import Calls, FiveActivities, OneActivity
from proof.stand_ins import StandInService
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from rollback_manager.contract import SEARCH_ATTRIBUTES, RollbackRequest
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from rollback_manager.verification import Verdict
from workers import wiring
from workers.plugin import PASSED_THROUGH
from workers.settings import Settings
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer
from workers.worker import make_worker

LATENCY_S = 0.001
"""Of each call of a target: a proxy's admin port on the same machine answers in about 1 ms."""

ASKS, GOES = "asks", "goes"
"""Two environments: a person must agree, or nobody."""

NO_WAITS = {
    "confirmed_requests": 0,
    "verification": {"min_window_s": 0, "max_window_s": 5, "throughput_floor": 0},
}
"""Order and calls alone: no window that has to fill."""

MINIMAL_QUEUE = "minimal"


class TimedService(StandInService):
    """A stand-in whose every call takes LATENCY_S and that remembers when it was changed first."""

    changed_at: float | None = None

    def shares(self) -> SharesAsSet:
        """How the traffic is split."""
        time.sleep(LATENCY_S)
        return super().shares()

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Split it; the moment is kept."""
        time.sleep(LATENCY_S)
        super().set_shares(shares, mark, seen)
        self.changed_at = self.changed_at or time.perf_counter()

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """All counters."""
        time.sleep(LATENCY_S)
        return super().snapshot(max_age_s)

    def versions(self) -> dict[str, VersionState]:
        """All versions."""
        time.sleep(LATENCY_S)
        return super().versions()

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Run so many instances."""
        time.sleep(LATENCY_S)
        super().scale(version, instances, mark)

    def run(self) -> tuple[Verdict, ...]:
        """The journeys."""
        time.sleep(LATENCY_S)
        return super().run()


@dataclass
class Stage:
    """A server, two workers (ours and the minimal one), and a fresh service for every run."""

    client: Client
    records: SqlRecords
    settings: Settings
    names: Iterator[str]
    services: dict[str, TimedService] = field(default_factory=dict)

    @property
    def rollbacks(self) -> RollbackClient:
        """The product's own client."""
        return RollbackClient(self.client, task_queue=self.settings.task_queue)

    def fresh(self, env: str) -> RollbackRequest:
        """A request for a service that nobody has touched yet."""
        name = next(self.names)
        self.services[name] = TimedService(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})
        self.records.save_release(env, name, _release("v1", Standing.VERIFIED, 60))
        self.records.save_release(env, name, _release("v2", Standing.CANDIDATE, 5))
        key = f"k-{uuid.uuid4().hex[:12]}"
        return RollbackRequest(env=env, services=(name,), key=key, requested_by="benchmark")

    def target(self, _env: str, service: str) -> Target:
        """The service's target."""
        return self.services[service].target()


class PlainServer(TemporalServer):
    """The dev server as it comes, without our settings."""

    def _command(self) -> list[str]:
        command, kept = super()._command(), []
        while command:
            word = command.pop(0)
            if word in {"--dynamic-config-value", "--sqlite-pragma"}:
                command.pop(0)
            else:
                kept.append(word)
        return kept


@contextlib.asynccontextmanager
async def stage(
    folder: Path, most_runs: int, server: type[TemporalServer] = TemporalServer
) -> AsyncIterator[Stage]:
    """Everything started, for at most `most_runs` services; ended on leaving."""
    found = await find_binary(print)
    database, log = folder / "temporal.sqlite", folder / "temporal.log"
    names = [f"s{number}" for number in range(most_runs)]
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    async with server(
        found.path, database, None, None, log, search_attributes=SEARCH_ATTRIBUTES
    ) as running:
        client = await Client.connect(running.address, data_converter=pydantic_data_converter)
        settings = Settings(data=folder, task_queue="bench")
        made = Stage(client, SqlRecords(engine), settings, iter(names))
        parts = wiring.Parts(_catalogue(names), made.records, made.target)
        async with make_worker(client, settings, parts), _minimal_worker(made):
            yield made
    engine.dispose()


def _minimal_worker(made: Stage) -> Worker:
    """The SDK's own defaults, threads for the activities, and the same cheap sandbox as ours."""
    calls = Calls(made.target, made.records)
    passed = SandboxRestrictions.default.with_passthrough_modules("benchmarks", *PASSED_THROUGH)
    return Worker(
        made.client,
        task_queue=MINIMAL_QUEUE,
        workflows=[OneActivity, FiveActivities],
        activities=calls.activities,
        activity_executor=ThreadPoolExecutor(max_workers=100),
        workflow_runner=SandboxedWorkflowRunner(restrictions=passed),
    )


def _catalogue(names: list[str]) -> Catalogue:
    place = {
        "workloads": {"kind": "supervisord", "socket": "/x", "program": "x"},
        "traffic": {
            "kind": "envoy",
            "admin": "http://127.0.0.1:1",
            "routes": "/x",
            "route": "x",
        },
    }
    service = {"strategy": "blue_green", "environments": {ASKS: place, GOES: place}}
    policies: dict[str, Any] = {
        env: {"policy": {**NO_WAITS, "approval": {"required": env == ASKS}}} for env in (ASKS, GOES)
    }
    return Catalogue.model_validate(
        {"version": 1, "environments": policies, "services": dict.fromkeys(names, service)}
    )


def _release(version: str, standing: Standing, minutes_ago: int) -> Release:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    digest = f"sha256:{version}"
    return Release(
        version=version,
        digest=digest,
        recorded_at=at,
        recorded_by="benchmark",
        standing=standing,
        because="it served 10,000 requests well",
        restore_point=RestorePoint(digest=digest, instances=3, shares={version: 100}, taken_at=at),
        baseline=Baseline(
            requests=10_000,
            error_ratio=0.0,
            latency_p95_ms=10,
            requests_per_s=100,
            window_s=100,
            taken_at=at,
        ),
    )
