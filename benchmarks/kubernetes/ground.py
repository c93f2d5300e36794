"""Where it is measured: a control plane, machines, a Temporal, one worker, and an observer.

The bad version errs for the stand-in users; all else is as it is at a user's.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.targets import Targets
from benchmarks.figures import progress
from benchmarks.kubernetes import objects
from benchmarks.kubernetes.observer import Awaited, Observer, Place
from demo.kubernetes import binaries
from demo.kubernetes.api import MERGE, Api, connected
from demo.kubernetes.control_plane import MACHINES, ControlPlane
from proof.in_process import POLICY, release
from proof.own_temporal import own_temporal
from proof.routed_users import PER_S, Users
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest, stay_id
from rollback_manager.progress import Result
from rollback_manager.release import Standing
from workers import targets as workers_targets
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker

OBSERVER = "observer"
WITHIN_S = 600.0
LOOK_S = 0.02
"""Whether it is over: when that was, the observer knows."""
METRICS = {
    "kind": "prometheus",
    "url": "http://127.0.0.1:1",
    "requests": "requests_total",
    "errors": {"kind": "label", "label": "code", "matches": "5.."},
}
"""Asked by nobody here: `Users` count."""


@dataclass(frozen=True)
class Placed:
    """One Deployment with its Service. good: the version to go back to."""

    place: Place
    pods: int
    good: str = objects.GOOD


@dataclass
class Ground:
    """Everything that runs. services: (environment, service) → where it is placed."""

    plane: ControlPlane
    api: Api
    observer: Observer
    kubectl: tuple[str, ...]
    client: Client
    records: SqlRecords
    settings: Settings
    services: Mapping[tuple[str, str], Placed]
    targets: Targets

    async def create(self, *all_: Placed) -> None:
        """Each in its good version, until it is there."""
        for namespace in sorted({one.place.namespace for one in all_}):
            if not await asyncio.to_thread(self._has, namespace):
                self.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        for one in all_:
            namespace, app = one.place
            body = objects.deployment(app, one.good, one.pods)
            self.api.post(objects.deployments(namespace), body)
            self.api.post(f"/api/v1/namespaces/{namespace}/services", objects.service(app))
        await self.back(*all_)

    def _has(self, namespace: str) -> bool:
        found = self.api.get("/api/v1/namespaces")["items"]
        return any(one["metadata"]["name"] == namespace for one in found)

    async def release_bad(self, *all_: Placed) -> None:
        """As a deployer does it, to its end."""
        waits = []
        for one in all_:
            namespace, app = one.place
            body = {"spec": {"template": objects.template(app, objects.BAD)}}
            self.api.patch(objects.deployments(namespace, app), body, MERGE)
            waits.append(self.observer.until(one.place, objects.BAD, one.pods))
        await self._held(waits)

    async def back(self, *all_: Placed) -> float:
        """When the last of them has all its good pods ready and no other one left."""
        waits = [self.observer.until(one.place, one.good, one.pods) for one in all_]
        await self._held(waits)
        return max(wait.at for wait in waits)

    async def _held(self, waits: list[Awaited]) -> None:
        until = time.monotonic() + WITHIN_S
        while not all(one.held for one in waits):
            if time.monotonic() >= until:
                raise RuntimeError(f"not within {WITHIN_S} s: {self.observer.missing()}")
            await asyncio.sleep(LOOK_S)

    def record(self, env: str, service: str) -> None:
        """The good version is verified, the bad one has just gone out."""
        good = self.services[env, service].good
        self._record(env, service, good, Standing.VERIFIED, 60)
        self._record(env, service, objects.BAD, Standing.CANDIDATE, 5)

    def record_young(self, env: str, service: str) -> None:
        """Its good version has just gone out, and is watched."""
        self._record(env, service, self.services[env, service].good, Standing.CANDIDATE, 1)

    def _record(
        self, env: str, service: str, version: str, standing: Standing, minutes: int
    ) -> None:
        one, found = self.services[env, service], self.targets(env, service).workloads.versions()
        made, digest = release(version, standing, minutes), found[version].digest
        point, baseline = made.restore_point, made.baseline
        if point is None or baseline is None:
            raise TypeError("the proofs' releases have both")
        whole = {
            "digest": digest,
            "restore_point": point.model_copy(update={"instances": one.pods, "digest": digest}),
            "baseline": baseline.model_copy(update={"requests_per_s": PER_S}),
        }
        self.records.save_release(env, service, made.model_copy(update=whole))

    async def start(self, env: str, *services: str) -> Rollback:
        """Start one rollback of these services."""
        request = RollbackRequest(
            env=env,
            services=services,
            key=f"k-{uuid.uuid4().hex[:8]}",
            requested_by="benchmark",
        )
        return await RollbackClient(self.client, task_queue=self.settings.task_queue).start(request)

    async def look_after_no_more(self, env: str, *services: str) -> None:
        """What looks after a rollback ends: the next run releases the bad version on purpose."""
        for service in services:
            stay = self.client.get_workflow_handle(stay_id(env, service))
            with contextlib.suppress(RPCError):  # there is none
                await stay.terminate("the next run of the benchmark begins")


async def verified(rollback: Rollback) -> None:
    """Wait for its end; anything but a verified one ends the benchmark."""
    outcome = await rollback.result()
    if outcome.result is not Result.VERIFIED:
        ends = {one.service: (str(one.end), one.because) for one in outcome.services}
        raise RuntimeError(f"{rollback.id} ended {outcome.result}: {outcome.because}; {ends}")


@contextlib.asynccontextmanager
async def ground(
    services: Mapping[tuple[str, str], Placed],
    fleets: Mapping[str, Mapping[str, object]],
    windows: Mapping[str, Mapping[str, object]],
) -> AsyncIterator[Ground]:
    """Everything started; ended on leaving. fleets: environment → its fleet policy.

    windows: environment → how it verifies, where a window must fill.
    """
    programs = await binaries.find(progress)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        users = {OBSERVER: ("system:masters",)}
        plane = stack.enter_context(ControlPlane(programs, folder, users))
        stack.enter_context(_machines(plane.kubeconfig(MACHINES)))
        api = stack.enter_context(connected(plane.kubeconfig(OBSERVER)))
        observer = stack.enter_context(Observer(api))
        known = _catalogue(services, fleets, windows, plane.kubeconfig())
        async with own_temporal(on_disk=True) as temporal:
            client = await temporal.client()
            engine = engine_for(f"sqlite:///{temporal.folder / 'records.sqlite'}")
            upgrade(engine)
            records = SqlRecords(engine)
            settings = Settings(data=temporal.folder, task_queue="bench-kubernetes")
            with httpx.Client() as http:
                reached = targets(known, http, records)
                parts = wiring.Parts(known, records, reached)
                kubectl = (*programs.commands[binaries.KUBECTL], "--kubeconfig")
                words = (*kubectl, str(plane.kubeconfig()))
                async with make_worker(client, settings, parts):
                    yield Ground(
                        plane, api, observer, words, client, records, settings, services, reached
                    )
            engine.dispose()


def targets(known: Catalogue, http: httpx.Client, records: SqlRecords) -> Targets:
    """Wired as a worker wires them, but for the users, who go where the cluster sends them."""

    def routed(env: str, name: str) -> dict[str, int]:
        return real(env, name).traffic.split()

    users = {
        (env, name): Users(partial(routed, env, name))
        for name, service in known.services.items()
        for env in service.environments
    }
    real: Targets = workers_targets.targets(known, http, records, users)
    return real


@contextlib.contextmanager
def _machines(kubeconfig: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.kubernetes.machines", str(kubeconfig)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:  # noqa: S603 -- ourselves
        if process.stdout is None or process.stdout.readline().strip() != b"ready":
            raise RuntimeError("the stand-in for machines did not start")
        try:
            yield
        finally:
            process.communicate()  # the end of its input is its end


def _catalogue(
    services: Mapping[tuple[str, str], Placed],
    fleets: Mapping[str, Mapping[str, object]],
    windows: Mapping[str, Mapping[str, object]],
    kubeconfig: Path,
) -> Catalogue:
    placements: dict[str, dict[str, Any]] = {}
    for (env, name), one in services.items():
        where = {"cluster": "bench", "namespace": one.place.namespace}
        placements.setdefault(name, {})[env] = {
            "workloads": {
                "kind": "kubernetes",
                **where,
                "controller": "deployment",
                "names": [one.place.app],
            },
            "traffic": {"kind": "kubernetes_service", **where, "service": one.place.app},
            "metrics": METRICS,
        }
    timeouts = {"prepare_s": WITHIN_S, "redirect_traffic_s": 60, "drain_s": 120}
    policy = {**POLICY, "timeouts": timeouts, "time_limit_s": 2 * WITHIN_S}

    def of(env: str) -> Mapping[str, object]:
        return policy | ({"verification": windows[env]} if env in windows else {})

    return Catalogue.model_validate(
        {
            "version": 1,
            "clusters": {"bench": {"kubeconfig": str(kubeconfig), "context": "local"}},
            "environments": {
                env: {"policy": of(env), "fleet": fleet} for env, fleet in fleets.items()
            },
            "services": {
                name: {"strategy": "rolling_update", "environments": placed}
                for name, placed in placements.items()
            },
        }
    )
