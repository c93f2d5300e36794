"""A worker with a service on the cluster: real Temporal, real API; users are a stand-in."""

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from temporalio.client import Client

from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.kubernetes import (
    Api,
    HttpRouteTraffic,
    InPlace,
    PodFeed,
    Reader,
    RolloutAnalyses,
    RolloutPods,
    RolloutTraffic,
    ServiceTraffic,
    SideBySide,
)
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.targets import Target
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest
from rollback_manager.metrics.reading import Counts, NoReading, Snapshot
from rollback_manager.platforms import KubernetesTarget, RolloutTarget, ServiceTarget
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from tests.kubernetes.cluster import Cluster
from tests.rig import POLICY
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker

METRICS = {
    "kind": "prometheus",
    "url": "http://127.0.0.1:1",
    "requests": "requests_total",
    "errors": {"kind": "label", "label": "code", "matches": "5.."},
}
"""Asked by nobody here: `Users` counts."""
PER_S = 5000


class Users:
    """A stand-in for users and for the Prometheus that counts their requests.

    They go wherever the cluster sends them, as `routed` says each time somebody looks.
    """

    unseen_s = 5.0

    def __init__(self, routed: Callable[[], dict[str, int]], bad: Iterable[str] = ("v2",)) -> None:
        self._routed = routed
        self.bad = frozenset(bad)
        self._last = time.monotonic()
        self.requests: dict[str, float] = {}

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot | NoReading:
        """With the requests since the last call, by the split of now."""
        now, split = time.monotonic(), self._routed()
        for name, part in split.items():
            more = PER_S * (now - self._last) * part / 100
            self.requests[name] = self.requests.get(name, 0.0) + more
        self._last = now
        names = {version, *others}
        return Snapshot(
            taken_at=datetime.now(UTC),
            versions={name: self._counts(name) for name in names},
            counted_by="users",
        )

    def _counts(self, version: str) -> Counts:
        requests = round(self.requests.get(version, 0.0))
        errors = requests // 2 if version in self.bad else 0
        return Counts(
            requests=requests,
            errors=errors,
            in_flight=0,
            serving=0,
            latency_ms=((10.0, requests), (100.0, requests)),
            timed=requests,
        )


@dataclass
class KubernetesRig:
    """One service in one namespace, and a worker for it."""

    client: Client
    cluster: Cluster
    namespace: str
    service: str
    records: SqlRecords
    settings: Settings
    catalogue: Catalogue
    users: Users

    target: Target

    async def start(self, **more: object) -> Rollback:
        """Start a rollback of this service."""
        words = {
            "env": "test",
            "services": (self.service,),
            "key": f"k-{uuid.uuid4().hex[:8]}",
            "requested_by": "test",
        }
        request = RollbackRequest.model_validate({**words, **more})
        client = RollbackClient(self.client, task_queue=self.settings.task_queue)
        return await client.start(request)

    def record(self, version: str, standing: Standing) -> None:
        """As a release that runs now."""
        state = self.target.workloads.versions()[version]
        at = datetime.now(UTC)
        point = RestorePoint(
            digest=state.digest, instances=state.running, shares={version: 100}, taken_at=at
        )
        baseline = Baseline(
            requests=10_000,
            error_ratio=0.0,
            latency_p95_ms=50,
            requests_per_s=PER_S,
            window_s=20,
            taken_at=at,
        )
        release = Release(
            version=version,
            digest=state.digest,
            recorded_at=at,
            recorded_by="test",
            standing=standing,
            because="4 s without an error",
            restore_point=point,
            baseline=baseline,
        )
        self.records.save_release("test", self.service, release)


def catalogue(
    cluster: Cluster, namespace: str, service: str, *, strategy: str, **where: object
) -> Catalogue:
    """Of one service. where: `names` of its controllers, `controller`, `route` for an HTTPRoute.

    `rollout` in place of them all: the name of a Rollout of Argo.
    """
    place = {"cluster": "test", "namespace": namespace}
    route, rollout = where.pop("route", None), where.pop("rollout", None)
    traffic = (
        {"kind": "http_route", "route": route}
        if route
        else {"kind": "kubernetes_service", "service": "shop"}
    )
    workloads = {"kind": "kubernetes", **where}
    if rollout:
        workloads = traffic = {"kind": "argo_rollout", "name": rollout}
    placement = {
        "workloads": {**workloads, **place},
        "traffic": {**traffic, **place},
        "metrics": METRICS,
    }
    return Catalogue.model_validate(
        {
            "version": 1,
            "clusters": {"test": {"kubeconfig": str(cluster.kubeconfig), "context": "local"}},
            "environments": {"test": {"policy": POLICY}},
            "services": {service: {"strategy": strategy, "environments": {"test": placement}}},
        }
    )


@contextlib.asynccontextmanager
async def rig(
    client: Client,
    cluster: Cluster,
    namespace: str,
    folder: Path,
    *,
    strategy: str,
    **where: object,
) -> AsyncIterator[KubernetesRig]:
    """A service that goes back by `strategy`; a worker runs while the context lasts."""
    service = f"s{uuid.uuid4().hex[:8]}"
    known = catalogue(cluster, namespace, service, strategy=strategy, **where)
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    settings = Settings(data=folder, task_queue=f"q-{service}")
    target, users = made(known, service)
    records = SqlRecords(engine)
    own = KubernetesRig(
        client, cluster, namespace, service, records, settings, known, users, target
    )
    parts = wiring.Parts(known, records, lambda _env, _service: target)
    async with make_worker(client, settings, parts, max_cached_workflows=1000):
        yield own
    engine.dispose()


def made(known: Catalogue, service: str) -> tuple[Target, Users]:
    """As workers make it, but for the users, who ask the same traffic object where to go."""
    placement = known.placement("test", service)
    workloads, traffic = placement.workloads, placement.traffic
    assert isinstance(workloads, KubernetesTarget | RolloutTarget)
    api = Api("test", known.clusters["test"])
    reader = Reader(api, workloads, PodFeed(api, workloads.namespace))
    users = Users(lambda: role.split())
    role: ServiceTraffic | HttpRouteTraffic | RolloutTraffic
    journeys = HttpJourneys((), httpx.Client())
    if isinstance(workloads, RolloutTarget):
        role, moved = RolloutTraffic(reader, users), RolloutPods(reader, dict)
        analyses = RolloutAnalyses(reader)
        return Target(role, moved, journeys, counters=users, analyses=analyses), users
    if isinstance(traffic, ServiceTarget):
        role = ServiceTraffic(traffic, reader, users)
    else:
        assert traffic.kind == "http_route"
        role = HttpRouteTraffic(traffic, reader, users)
    pods = InPlace(reader, dict) if len(workloads.names) == 1 else SideBySide(reader)
    return Target(traffic=role, workloads=pods, journeys=journeys, counters=users), users
