"""One service on a real control plane, whose pods are stand-ins, with v2 out and v1 known good."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.kubernetes import (
    Api,
    InPlace,
    KubernetesOwners,
    PodFeed,
    Reader,
    ServiceTraffic,
    objects,
)
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.targets import Owners, Target
from demo.kubernetes import api as plain
from demo.kubernetes.kubelet import NAME as SCHEDULER
from demo.kubernetes.pods import VERSION_LABEL
from rollback_manager.catalogue import Catalogue
from rollback_manager.metrics.reading import Counts, Snapshot
from rollback_manager.owners import Owner
from rollback_manager.platforms import (
    ArgoCdTarget,
    Cluster,
    KubernetesTarget,
    ServiceTarget,
)
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from workers.wiring import Parts

ENV, SERVICE, PODS = "prod", "shop", 4
GOOD, BAD = "registry.test/shop:v1", "registry.test/shop:v2"
ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps where it is in the process."""
A_LOOK = 20_000
"""Requests that the stand-in counts at each look, so that windows fill at once."""
QUICK: dict[str, Any] = {
    "approval": {"required": False},
    "verification": {"min_window_s": 0, "max_window_s": 20, "throughput_floor": 0},
    "timeouts": {"prepare_s": 30, "redirect_traffic_s": 20, "drain_s": 20, "heartbeat_s": 5},
}


class PodCounters:
    """A stand-in for Prometheus: each look counts requests that ready pods answered, none slow."""

    unseen_s = 5.0

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._counted: dict[str, int] = {}

    def snapshot(self, version: str, others: Iterable[str] = ()) -> Snapshot:
        """As of now."""
        ready = [pod.version for pod in self._reader.now().pods if pod.ready]
        with self._lock:
            for name in ready:
                self._counted[name] = self._counted.get(name, 0) + A_LOOK // len(ready)
            counts = {name: self._counts(name) for name in {version, *others}}
        return Snapshot(taken_at=datetime.now(UTC), versions=counts, counted_by="a stand-in")

    def _counts(self, name: str) -> Counts:
        all_of = self._counted.get(name, 0)
        fast = tuple((edge, all_of) for edge in (10.0, 100.0))
        return Counts(requests=all_of, errors=0, in_flight=0, serving=0, latency_ms=fast)


class LetLoose:
    """Owners without the mechanism: nobody is found, so nobody is held, and no list is kept."""

    def __init__(self, real: Owners) -> None:
        self._real = real

    def found(self) -> tuple[Owner, ...]:
        """Nobody."""
        return ()

    def deny(self, version: str) -> str:
        """Nothing is."""
        return "taken out"

    def __getattr__(self, name: str) -> Any:
        """All else is as it is."""
        return getattr(self._real, name)


@dataclass
class Site:
    """The service, and the parts of a worker that reaches it."""

    api: plain.Api
    namespace: str
    parts: Parts
    owners: KubernetesOwners
    bad_template: plain.Object
    env: str = ENV

    def path(self, kind: str, name: str = SERVICE, group: str = "/apis/apps/v1") -> str:
        """Where the API has an object of the service."""
        return f"{group}/namespaces/{self.namespace}/{kind}/{name}"

    @property
    def deployment(self) -> str:
        """Its Deployment."""
        return self.path("deployments")

    @property
    def application(self) -> str:
        """Its Application."""
        return self.path("applications", group="/apis/argoproj.io/v1alpha1")

    @property
    def autoscaler(self) -> str:
        """Its HorizontalPodAutoscaler."""
        return self.path("horizontalpodautoscalers", group="/apis/autoscaling/v2")

    def image(self) -> str:
        """What the Deployment names now."""
        spec = self.api.get(self.deployment)["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])

    def serving(self) -> set[str]:
        """Images of the pods that get requests right now, past all labels."""
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return {
            pod["spec"]["containers"][0]["image"]
            for pod in found
            if not pod["metadata"].get("deletionTimestamp")
            and any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in pod.get("status", {}).get("conditions", [])
            )
        }


def build(
    api: plain.Api,
    kubeconfig: Path,
    namespace: str,
    folder: Path,
    *,
    held: bool = True,
    argo: bool = False,
    policy: dict[str, Any] | None = None,
    scaled_to: int = 0,
    env: str = ENV,
) -> Site:
    """The service as v1, then as v2, with its records.

    held: whether the mechanism is in. argo: an Application owns it. scaled_to: an autoscaler does,
    with that minimum.
    """
    site_api = Api("main", Cluster(kubeconfig=str(kubeconfig), context="local"))
    _create(api, namespace, argo=argo, scaled_to=scaled_to)
    reader = Reader(site_api, _workloads(namespace), PodFeed(site_api, namespace))
    digests = {}
    for version in ("v1", "v2"):
        api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/{SERVICE}", _at(version))
        digests[version] = _rolled_out(reader, version)
    gitops = _gitops(namespace) if argo else None
    service = ServiceTarget(
        kind="kubernetes_service", cluster="main", namespace=namespace, service=SERVICE
    )
    owners = KubernetesOwners(f"{env}/{SERVICE}", reader, service, gitops, {"main": site_api})
    counters = PodCounters(reader)
    target = Target(
        traffic=ServiceTraffic(service, reader, counters),
        workloads=InPlace(reader, dict),
        journeys=HttpJourneys((), httpx.Client()),
        counters=counters,
        owners=owners,
    )
    if not held:
        target = replace(target, owners=LetLoose(owners))
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    with ONE_AT_A_TIME:
        upgrade(engine)
    records = SqlRecords(engine)
    records.save_release(env, SERVICE, _release("v1", digests["v1"], Standing.VERIFIED, 60))
    records.save_release(env, SERVICE, _release("v2", digests["v2"], Standing.CANDIDATE, 5))
    parts = Parts(
        _catalogue(env, namespace, {**QUICK, **(policy or {})}), records, lambda _, __: target
    )
    template = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{SERVICE}")["spec"]
    return Site(api, namespace, parts, owners, template["template"], env)


Seen = list[tuple[float, set[str]]]
"""What served, look by look: (monotonic seconds, images)."""


@contextmanager
def watched(site: Site, every_s: float = 0.2) -> Iterator[Seen]:
    """What served, again and again, for as long as the block lasts: a `Seen`."""
    seen: Seen = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(every_s):
            try:
                seen.append((time.monotonic(), site.serving()))
            except (plain.Refused, httpx.HTTPError):
                continue

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def template(version: str) -> plain.Object:
    """The pods of one version, as a pipeline deploys them."""
    return {
        "metadata": {"labels": {"app": SERVICE, VERSION_LABEL: version}},
        "spec": {
            "schedulerName": SCHEDULER,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": f"registry.test/{SERVICE}:{version}"}],
        },
    }


def _at(version: str) -> plain.Object:
    return {"spec": {"template": template(version)}}


def _create(api: plain.Api, namespace: str, *, argo: bool, scaled_to: int) -> None:
    def create(group: str, kind: str, body: plain.Object, name: str = SERVICE) -> None:
        whole = {"metadata": {"name": name}, **body}
        api.post(f"{group}/namespaces/{namespace}/{kind}", whole)

    apps = "/apis/apps/v1"
    selector = {"matchLabels": {"app": SERVICE}}
    spec = {"replicas": PODS, "selector": selector, "template": template("v1")}
    create(apps, "deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    ports = [{"port": 80, "targetPort": 8080}]
    create("/api/v1", "services", {"spec": {"selector": {"app": SERVICE}, "ports": ports}})
    if argo:
        create("/apis/argoproj.io/v1alpha1", "applications", _application(namespace))
    if scaled_to:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": SERVICE}
        bounds = {"minReplicas": scaled_to, "maxReplicas": PODS + 2, "scaleTargetRef": target}
        create("/apis/autoscaling/v2", "horizontalpodautoscalers", {"spec": bounds})


def _application(namespace: str) -> plain.Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.test/shop.git", "path": "."},
            "destination": {"namespace": namespace, "name": "in-cluster"},
            "syncPolicy": {"automated": {"selfHeal": True, "prune": True}},
        },
    }


def _rolled_out(reader: Reader, version: str, within_s: float = 240) -> str:
    """Its digest, once every pod is of that version."""
    until = time.monotonic() + within_s
    while True:
        world = reader.now(0.0)
        pods = [pod for pod in world.pods if not pod.leaving]
        if len(pods) >= 1 and all(pod.ready and pod.version == version for pod in pods):
            return objects.digest(world.controllers[SERVICE]["spec"]["template"])
        if time.monotonic() > until:
            raise TimeoutError(f"{version} was not rolled out: {pods}")
        time.sleep(0.1)


def _workloads(namespace: str) -> KubernetesTarget:
    return KubernetesTarget(
        kind="kubernetes", cluster="main", namespace=namespace, names=(SERVICE,)
    )


def _gitops(namespace: str) -> ArgoCdTarget:
    return ArgoCdTarget(kind="argo_cd", cluster="main", namespace=namespace, application=SERVICE)


def _release(version: str, digest: str, standing: Standing, minutes_ago: int) -> Release:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return Release(
        version=version,
        digest=digest,
        recorded_at=at,
        recorded_by="proof",
        standing=standing,
        because="4 s without an error",
        restore_point=RestorePoint(
            digest=digest, instances=PODS, shares={version: 100}, taken_at=at
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


def _catalogue(env: str, namespace: str, policy: dict[str, Any]) -> Catalogue:
    place = {"cluster": "main", "namespace": namespace}
    return Catalogue.model_validate(
        {
            "version": 1,
            "clusters": {"main": {"kubeconfig": "/unused", "context": "local"}},
            "environments": {env: {"policy": policy}},
            "services": {
                SERVICE: {
                    "strategy": "rolling_update",
                    "environments": {
                        env: {
                            "workloads": {"kind": "kubernetes", "names": [SERVICE], **place},
                            "traffic": {
                                "kind": "kubernetes_service",
                                "service": SERVICE,
                                **place,
                            },
                            "metrics": {
                                "kind": "prometheus",
                                "url": "http://127.0.0.1:1",
                                "requests": "requests_total",
                                "errors": {"kind": "label", "label": "code", "matches": "5.."},
                            },
                        }
                    },
                }
            },
        }
    )
