"""The world on Kubernetes, seen from outside: users' own answers against what others say."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from demo.errors import WorldError
from demo.kubernetes import binaries
from demo.kubernetes.api import Api, connected
from demo.kubernetes.catalogue import SHOP, TILL
from demo.kubernetes.control_plane import ControlPlane
from demo.kubernetes.world import KubernetesWorld
from rollback_manager.catalogue import Catalogue
from tests.kubernetes import objects as o
from tests.kubernetes.cluster import Cluster

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[KubernetesWorld]:
    with (
        TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as folder,
        KubernetesWorld(Path(folder), cluster=cluster, namespace="world", instances=2) as made,
    ):
        made.build("v1")
        made.build("v2", error_ratio=0.5)
        yield made


def counted(world: KubernetesWorld, service: str) -> dict[str, tuple[int, int]]:
    """Version → requests and errors, as Prometheus has them."""
    query = f'envoy_cluster_upstream_rq_xx{{service="{service}"}}'
    url = f"http://127.0.0.1:{world.metrics_port}/api/v1/query"
    found: dict[str, tuple[int, int]] = {}
    for one in httpx.get(url, params={"query": query}, trust_env=False).json()["data"]["result"]:
        labels, value = one["metric"], int(one["value"][1])
        all_of_it, errors = found.get(labels["version"], (0, 0))
        is_error = labels["envoy_response_code_class"] == "5"
        found[labels["version"]] = all_of_it + value, errors + value * is_error
    return found


def status(world: KubernetesWorld, service: str) -> int:
    return httpx.get(f"{world.url(service)}/", trust_env=False).status_code


@pytest.mark.parametrize("service", [SHOP, TILL])
def test_prometheus_counts_what_users_were_answered(world: KubernetesWorld, service: str) -> None:
    """Through a rollout with the load on: nobody is failed by it, and every answer is counted."""
    world.deploy(service, "v1")
    with world.load(service, name=f"counted-{service}") as users:
        time.sleep(1)
        world.deploy(service, "v2")
        time.sleep(1)
        if service == SHOP:
            world.split({"v1": 50, "v2": 50})
            time.sleep(1)
    seen = users.summary()
    assert seen.by_us == 0
    told = {version: (n, seen.failed.get(version, 0)) for version, n in seen.count.items()}
    assert set(told) == {"v1", "v2"}
    o.until(lambda: counted(world, service), lambda found: found == told, 5)


def test_a_service_without_a_ready_pod_fails_its_part_of_the_users(world: KubernetesWorld) -> None:
    world.deploy(SHOP, "v1")
    assert status(world, SHOP) == 200
    (name,) = [name for name, weight in world.weights().items() if weight]
    world.scale(name, 0)
    o.until(lambda: status(world, SHOP), lambda code: code == 503, 5)
    world.scale(name, 2)
    o.until(lambda: status(world, SHOP), lambda code: code == 200, 5)


def test_a_route_is_accepted_when_envoy_has_taken_it_up(world: KubernetesWorld) -> None:
    world.deploy(SHOP, "v1")
    world.bring_up("v2")
    world.split({"v1": 0, "v2": 100})
    answer = httpx.get(f"{world.url(SHOP)}/ready", trust_env=False)
    assert answer.json()["version"] == "v2"


def test_its_catalogue_is_one_of_the_product(world: KubernetesWorld) -> None:
    found = Catalogue.model_validate(json.loads(world.catalogue.read_text()))
    assert set(found.services) == {SHOP, TILL}


def test_kubectl_shows_it(world: KubernetesWorld) -> None:
    world.deploy(TILL, "v1")
    assert world.kubectl("get", "pods", "-l", "app=till").count("Running") >= 2


@pytest.mark.long
def test_in_a_cluster_that_is_named_nothing_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = asyncio.run(binaries.find(print))
    with (
        TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as folder,
        ControlPlane(programs, Path(folder)) as plane,
        connected(plane.kubeconfig()) as api,
    ):
        monkeypatch.setenv(binaries.NAMED_CLUSTER, str(plane.kubeconfig()))
        with KubernetesWorld(tmp_path / "first", services=(TILL,), instances=1) as made:
            made.build("v1")
            made.deploy(TILL, "v1")
            assert status(made, TILL) == 200
            second = KubernetesWorld(tmp_path / "second", services=(TILL,))
            with pytest.raises(WorldError, match="has a namespace shop"):
                second.start()
        assert api.get("/api/v1/nodes")["items"] == []
        o.until(lambda: _namespaces(api), lambda found: "shop" not in found, 30)


def _namespaces(api: Api) -> list[str]:
    return [one["metadata"]["name"] for one in api.get("/api/v1/namespaces")["items"]]
