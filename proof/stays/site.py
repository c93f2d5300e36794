"""One service on a real control plane, whose pods are stand-ins, with v2 out and v1 known good."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from proof.released import released
from proof.stays import shop
from proof.stays.shop import ENV, SERVICE
from proof.stays.stand_ins import LetLoose, PodCounters
from rollback_manager.platforms import Cluster, ServiceTarget
from rollback_manager.release import Standing
from workers.wiring import Parts

ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps where it is in the process."""


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
    shop.create(api, namespace, argo=argo, scaled_to=scaled_to)
    reader = Reader(site_api, shop.workloads(namespace), PodFeed(site_api, namespace))
    digests = _deployed(api, namespace, reader)
    service = ServiceTarget(
        kind="kubernetes_service", cluster="main", namespace=namespace, service=SERVICE
    )
    gitops = shop.gitops(namespace) if argo else None
    owners = KubernetesOwners(f"{env}/{SERVICE}", reader, service, gitops, {"main": site_api})
    target = _target(service, reader, owners if held else LetLoose(owners))
    catalogue = shop.catalogue(env, namespace, {**shop.QUICK, **(policy or {})})
    parts = Parts(catalogue, _records(env, folder, digests), lambda _, __: target)
    template = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{SERVICE}")["spec"]
    return Site(api, namespace, parts, owners, template["template"], env)


def _deployed(api: plain.Api, namespace: str, reader: Reader) -> dict[str, str]:
    """First v1, then v2: version → digest."""
    digests = {}
    for version in ("v1", "v2"):
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{SERVICE}"
        api.patch(path, shop.at(version))
        digests[version] = _rolled_out(reader, version)
    return digests


def _target(service: ServiceTarget, reader: Reader, owners: Owners) -> Target:
    counters = PodCounters(reader)
    return Target(
        traffic=ServiceTraffic(service, reader, counters),
        workloads=InPlace(reader, dict),
        journeys=HttpJourneys((), httpx.Client()),
        counters=counters,
        owners=owners,
    )


def _records(env: str, folder: Path, digests: dict[str, str]) -> SqlRecords:
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    with ONE_AT_A_TIME:
        upgrade(engine)
    records = SqlRecords(engine)
    good = released("v1", digests["v1"], Standing.VERIFIED, 60)
    records.save_release(env, SERVICE, good)
    bad = released("v2", digests["v2"], Standing.CANDIDATE, 5)
    records.save_release(env, SERVICE, bad)
    return records


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
