"""A worker with a service on the cluster: real Temporal, real API; users are a stand-in."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from temporalio.client import Client

from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.kubernetes import (
    Api,
    ClusterConfiguration,
    ClusterFreezer,
    ClusterPreconditions,
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
from proof.routed_users import PER_S, Users
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import RollbackRequest
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
        assert self.target.freezer is not None
        frozen = self.target.freezer.freeze(version, complete=True)
        point = RestorePoint(
            digest=state.digest,
            instances=state.running,
            shares={version: 100},
            taken_at=at,
            frozen=self.records.keep_frozen("test", self.service, frozen),
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
        own = Target(
            traffic=role,
            workloads=moved,
            journeys=journeys,
            counters=users,
            freezer=ClusterFreezer(reader),
            configuration=ClusterConfiguration(reader),
            analyses=RolloutAnalyses(reader),
        )
        return own, users
    route = ""
    if isinstance(traffic, ServiceTarget):
        role = ServiceTraffic(traffic, reader, users)
    else:
        assert traffic.kind == "http_route"
        role, route = HttpRouteTraffic(traffic, reader, users), traffic.route
    pods = InPlace(reader, dict) if len(workloads.names) == 1 else SideBySide(reader)
    configuration = ClusterConfiguration(reader)
    target = Target(
        traffic=role,
        workloads=pods,
        journeys=journeys,
        counters=users,
        freezer=ClusterFreezer(reader, route),
        configuration=configuration,
        preconditions=ClusterPreconditions(reader, pods, role, configuration, route),
    )
    return target, users
