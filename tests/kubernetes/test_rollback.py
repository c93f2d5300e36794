"""Whole rollbacks on the real control plane, one for each way in which a version is kept."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.targets import VersionState
from demo.kubernetes import crds
from rollback_manager.progress import EndState, RollbackOutcome
from rollback_manager.release import Standing
from tests.kubernetes import rig
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    http_route,
    path_of,
    pod_template,
    rolled_out,
    service,
    stateful_set,
    until,
)
from tests.kubernetes.rig import KubernetesRig

pytestmark = pytest.mark.usefixtures("kubelet")
MERGE = "application/merge-patch+json"


def side_by_side(cluster: Cluster, namespace: str, v1: int, v2: int) -> None:
    """v1 and v2, each with its Deployment and Service; the Service of all is with v2."""
    created(cluster.api, namespace, deployment("shop-blue", "v1", v1, app="shop"))
    created(cluster.api, namespace, deployment("shop-green", "v2", v2, app="shop"))
    created(cluster.api, namespace, service("shop", "v2"))
    for name in ("shop-blue", "shop-green"):
        path = path_of("deployments", namespace, name)
        until(partial(cluster.api.get, path), rolled_out)


def routed(cluster: Cluster, namespace: str, v1: int, v2: int) -> None:
    """An HTTPRoute over both, which a gateway has taken up."""
    crds.install(cluster.api, crds.GATEWAY_API)
    for version in ("v1", "v2"):
        created(cluster.api, namespace, service(f"shop-{version}", version, app="shop"))
    created(cluster.api, namespace, http_route("shop", {"shop-v1": v1, "shop-v2": v2}))
    accept(cluster, namespace)


def accept(cluster: Cluster, namespace: str) -> None:
    """As a gateway's controller, for whatever generation comes."""
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": 1000,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    parent = {
        "parentRef": {"name": "gateway"},
        "controllerName": "test/gateway",
        "conditions": [condition],
    }
    path = path_of("httproutes", namespace, "shop")
    cluster.api.patch(f"{path}/status", {"status": {"parents": [parent]}}, MERGE)


async def goes_back(own: KubernetesRig, to: str = "v1") -> RollbackOutcome:
    """Started and rolled back, as it says itself."""
    outcome = await (await own.start()).result()
    (one,) = outcome.services
    assert one.end is EndState.ROLLED_BACK, one
    assert one.verified, one
    assert one.found is not None
    assert one.found.shares == {to: 100}
    return outcome


async def test_blue_green_by_a_service(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path
) -> None:
    side_by_side(cluster, namespace, 0, 3)
    names = ("shop-blue", "shop-green")
    async with rig.rig(
        client, cluster, namespace, tmp_path, strategy="blue_green", names=names
    ) as own:
        own.record("v1", Standing.VERIFIED)
        own.record("v2", Standing.CANDIDATE)
        await goes_back(own)
    assert replicas(cluster, namespace, "shop-blue") == 3
    assert replicas(cluster, namespace, "shop-green") == 0
    selector = cluster.api.get(path_of("services", namespace, "shop"))["spec"]["selector"]
    assert selector["app.kubernetes.io/version"] == "v1"


async def test_a_canary_by_an_http_route(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path
) -> None:
    side_by_side(cluster, namespace, 3, 1)
    routed(cluster, namespace, 80, 20)
    names = ("shop-blue", "shop-green")
    async with rig.rig(
        client, cluster, namespace, tmp_path, strategy="canary", names=names, route="shop"
    ) as own:
        own.record("v1", Standing.VERIFIED)
        own.record("v2", Standing.CANDIDATE)
        await goes_back(own)
    assert replicas(cluster, namespace, "shop-green") == 0


async def test_generic_in_slices_by_an_http_route(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path
) -> None:
    side_by_side(cluster, namespace, 0, 3)
    routed(cluster, namespace, 0, 100)
    names = ("shop-blue", "shop-green")
    async with rig.rig(
        client, cluster, namespace, tmp_path, strategy="generic", names=names, route="shop"
    ) as own:
        own.record("v1", Standing.VERIFIED)
        own.record("v2", Standing.CANDIDATE)
        await goes_back(own)
    if cluster.own is not None:
        calls = cluster.ledger.writes(namespace)
        route = [c for c in calls if c.resource.endswith("httproutes") and c.verb == "patch"]
        assert len([c for c in route if c.agent == "rollback-manager"]) == 4, "10, 33, 66, 100 %"


async def test_a_canary_by_the_number_of_its_pods(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path
) -> None:
    created(cluster.api, namespace, deployment("shop-blue", "v1", 3, app="shop"))
    created(cluster.api, namespace, deployment("shop-green", "v2", 1, app="shop"))
    created(cluster.api, namespace, service("shop"))
    names = ("shop-blue", "shop-green")
    async with rig.rig(client, cluster, namespace, tmp_path, strategy="canary", names=names) as own:
        until(own.target.traffic.split, lambda split: split == {"v1": 75, "v2": 25})
        own.record("v1", Standing.VERIFIED)
        own.record("v2", Standing.CANDIDATE)
        await goes_back(own)
    assert replicas(cluster, namespace, "shop-green") == 0


@pytest.mark.parametrize("controller", ["deployment", "statefulset"])
async def test_in_place(
    cluster: Cluster, namespace: str, client: Client, tmp_path: Path, controller: str
) -> None:
    body = deployment("shop", "v1", 3) if controller == "deployment" else stateful_set("shop", "v1")
    created(cluster.api, namespace, body)
    created(cluster.api, namespace, service("shop"))
    async with rig.rig(
        client,
        cluster,
        namespace,
        tmp_path,
        strategy="rolling_update",
        names=("shop",),
        controller=controller,
    ) as own:
        until(own.target.workloads.versions, lambda all_: whole(all_, "v1"))
        own.record("v1", Standing.VERIFIED)
        template = {"spec": {"template": pod_template("shop", "v2")}}
        cluster.api.patch(path_of(f"{controller}s", namespace, "shop"), template, MERGE)
        until(own.target.workloads.versions, lambda all_: whole(all_, "v2"))
        await goes_back(own)
        assert own.records.releases("test", own.service)[0].standing is Standing.BAD


def whole(versions: Mapping[str, VersionState], version: str) -> bool:
    """All pods are of that version, and ready."""
    state = versions.get(version)
    return state is not None and state.ready == state.maximum


def replicas(cluster: Cluster, namespace: str, name: str) -> int:
    """What its Deployment is told to keep."""
    found: int = cluster.api.get(path_of("deployments", namespace, name))["spec"]["replicas"]
    return found
