"""The product's own way back: a worker and Temporal, one rollback, nobody asked."""

import asyncio
import json
from pathlib import Path

from temporalio.client import Client

from demo.world import World
from proof.rolling.scene import BAD, DESIRED, GOOD, now
from rollback_manager.client import RollbackClient
from rollback_manager.contract import AbortCommand, RollbackRequest
from rollback_manager.progress import RollbackOutcome
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker

PATIENCE_S = 180
"""Many times what the slowest takes: what has not ended then waits for a person."""
POLICY: dict[str, object] = {
    "approval": {"required": False},
    # What is judged here is capacity; the proof that users are well has tests of its own.
    "verification": {
        "min_window_s": 1,
        "max_window_s": 30,
        "error_ratio_margin": 0.02,
        "latency_factor": 40,
    },
    "timeouts": {"prepare_s": 60, "stop_batch_s": 60, "drain_s": 60, "clean_up_s": 60},
}


async def roll_back(client: Client, world: World, folder: Path, key: str) -> RollbackOutcome:
    """Start it and wait for its end. key: its environment too, for runs go on side by side."""
    folder.mkdir()
    file = folder / "catalogue.yaml"
    file.write_text(json.dumps(_catalogue(world, key)), encoding="utf-8")
    settings = Settings(catalogue=file, data=folder / "data", task_queue=key)
    parts = wiring.parts(settings)
    versions = parts.targets(key, world.service).workloads.versions()
    for version, standing in ((GOOD, Standing.VERIFIED), (BAD, Standing.CANDIDATE)):
        release = _release(version, versions[version].digest, standing)
        parts.records.save_release(key, world.service, release)
    async with make_worker(client, settings, parts):
        rollback = await RollbackClient(client, task_queue=key).start(
            RollbackRequest(env=key, services=(world.service,), key=key, requested_by="proof")
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await rollback.result()
        except TimeoutError:
            waits_for = (await rollback.status()).waits_for
            await rollback.abort(AbortCommand(by="proof", reason=f"it waits for {waits_for}"))
            return await rollback.result()


def _release(version: str, digest: str, standing: Standing) -> Release:
    at = now()
    baseline = Baseline(
        requests=10_000,
        error_ratio=0.0,
        latency_p95_ms=10,
        requests_per_s=50,
        window_s=200,
        taken_at=at,
    )
    point = RestorePoint(digest=digest, instances=DESIRED, shares={version: 100}, taken_at=at)
    return Release(
        version=version,
        digest=digest,
        recorded_at=at,
        recorded_by="proof",
        standing=standing,
        because="the proof says so",
        restore_point=point,
        baseline=baseline,
    )


def _catalogue(world: World, env: str) -> dict[str, object]:
    placement = {
        "workloads": {
            "kind": "supervisord",
            "socket": str(world.socket),
            "program": world.service,
        },
        "traffic": {
            "kind": "envoy",
            "admin": world.admin_url,
            "routes": str(world.routes_file),
            "route": world.service,
        },
    }
    service = {"strategy": "rolling_update", "environments": {env: placement}}
    return {
        "version": 1,
        "environments": {env: {"policy": POLICY}},
        "services": {world.service: service},
    }
