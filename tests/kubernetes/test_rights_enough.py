"""The product with the shipped Role, its policies and nothing else: every role reads and writes."""

import hashlib
from collections.abc import Mapping

import pytest

from activities.integrations.kubernetes import (
    Api,
    HttpRouteTraffic,
    InPlace,
    PodFeed,
    Reader,
    ServiceTraffic,
    SideBySide,
)
from activities.targets import Traffic
from demo.kubernetes.api import Object
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import VERSION_LABEL
from rollback_manager.catalogue import Catalogue, read_catalogue
from rollback_manager.errors import PermanentError
from rollback_manager.operation import Mark
from rollback_manager.platforms import (
    Cluster,
    HttpRouteTarget,
    KubernetesTarget,
    ServiceTarget,
)
from tests.kubernetes import cluster as clusters
from tests.kubernetes.installed import DEPLOY, IMAGE_ONLY, TEMPLATE, Installed
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

CATALOGUE: Catalogue = read_catalogue((DEPLOY / "catalogue.yaml").read_text())
MARK = Mark(epoch=1, step=1, op_id="op")


@pytest.fixture(scope="module")
def api(ours: Installed) -> Api:
    """The product's own way to the cluster, as the shipped account."""
    return Api("main", Cluster(kubeconfig=str(ours.kubeconfig), context="local"))


def image(app: str, version: str) -> str:
    """From the registry that the policy allows, by digest."""
    digest = hashlib.sha256(f"{app}:{version}".encode()).hexdigest()
    return f"registry.example/shop/{app}@sha256:{digest}"


def reader(api: Api, name: str) -> Reader:
    """Of a service of the shipped catalogue."""
    target = CATALOGUE.placement("prod", name).workloads
    assert isinstance(target, KubernetesTarget)
    return Reader(api, target, PodFeed(api, target.namespace))


def shares(traffic: Traffic) -> Mapping[str, int]:
    """The split as the role sees it."""
    return traffic.shares().shares


def test_a_deployment_goes_back_in_place(
    cluster: clusters.Cluster, kubelet: Kubelet, api: Api
) -> None:
    """Image and version label return, in image-only mode."""
    where = path_of("deployments", IMAGE_ONLY, "till")
    _absent(cluster, where)
    created(cluster.api, IMAGE_ONLY, deployment("till", "v1", image=image("till", "v1")))
    until(lambda: cluster.api.get(where), rolled_out)
    template = pod_template("till", "v2", image("till", "v2"))
    cluster.api.patch(where, {"spec": {"template": template}})
    until(lambda: cluster.api.get(where), rolled_out)
    workloads = InPlace(reader(api, "till"), dict)
    workloads.scale("v1", 2, MARK)
    back = until(lambda: cluster.api.get(where), rolled_out)
    assert back["spec"]["template"]["spec"]["containers"][0]["image"] == image("till", "v1")
    until(lambda: workloads.versions()["v1"].ready, lambda ready: ready == 2)
    target = CATALOGUE.placement("prod", "till").traffic
    assert isinstance(target, ServiceTarget)
    _service(cluster, service("till"))
    assert shares(ServiceTraffic(target, reader(api, "till"), None)) == {"v1": 100}


def test_a_stateful_set_goes_back_as_a_template(
    cluster: clusters.Cluster, kubelet: Kubelet, api: Api
) -> None:
    """With a variable that the bad release had changed, in template mode."""
    where = path_of("statefulsets", TEMPLATE, "orders")
    _absent(cluster, where)
    templates = {one: pod_template("orders", one, image("orders", one)) for one in ("v1", "v2")}
    for version, template in templates.items():
        template["spec"]["containers"][0]["env"] = [{"name": "VERSION", "value": version}]
    created(cluster.api, TEMPLATE, stateful_set("orders", "v1", template=templates["v1"]))
    _stands(cluster, where)
    cluster.api.patch(where, {"spec": {"template": templates["v2"]}})
    _stands(cluster, where)
    workloads = InPlace(reader(api, "orders"), dict)
    workloads.scale("v1", 2, MARK)
    back = _stands(cluster, where)
    assert back["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "v1"


def test_blue_and_green_change_places(
    cluster: clusters.Cluster, kubelet: Kubelet, api: Api
) -> None:
    """The good side grows, the selector moves, the bad side goes to nothing."""
    for name, version, count in (("shop-blue", "v1", 1), ("shop-green", "v2", 2)):
        body = deployment(name, version, count, app="shop", image=image("shop", version))
        created(cluster.api, IMAGE_ONLY, body)
    _service(cluster, service("shop", "v2"))
    ours = reader(api, "shop")
    target = CATALOGUE.placement("prod", "shop").traffic
    assert isinstance(target, ServiceTarget)
    workloads, traffic = SideBySide(ours), ServiceTraffic(target, ours, None)
    workloads.scale("v1", 2, MARK)
    until(lambda: workloads.versions()["v1"].ready, lambda ready: ready == 2)
    traffic.set_shares({"v1": 100}, MARK)
    until(lambda: traffic.shares(), lambda found: found.acknowledged)
    assert shares(traffic) == {"v1": 100}
    workloads.scale("v2", 0, MARK)
    until(lambda: workloads.versions()["v2"].running, lambda running: running == 0)


def test_the_weights_of_a_route_move(cluster: clusters.Cluster, kubelet: Kubelet, api: Api) -> None:
    """All of it to the stable side."""
    for name, version in (("search", "v1"), ("search-canary", "v2")):
        body = deployment(name, version, 1, app="search", image=image("search", version))
        created(cluster.api, IMAGE_ONLY, body)
        _service(cluster, service(name, version, app="search"))
    path = path_of("httproutes", IMAGE_ONLY, "search")
    _absent(cluster, path)
    created(cluster.api, IMAGE_ONLY, http_route("search", {"search": 90, "search-canary": 10}))
    target = CATALOGUE.placement("prod", "search").traffic
    assert isinstance(target, HttpRouteTarget)
    traffic = HttpRouteTraffic(target, reader(api, "search"), None)
    assert shares(traffic) == {"v1": 90, "v2": 10}
    traffic.set_shares({"v1": 100}, MARK)
    assert shares(traffic) == {"v1": 100}


def test_an_image_that_no_digest_names_says_which_policy_is_in_the_way(
    cluster: clusters.Cluster, kubelet: Kubelet, api: Api
) -> None:
    """In image-only mode; and nothing was written."""
    where = path_of("deployments", IMAGE_ONLY, "till")
    _absent(cluster, where)
    created(cluster.api, IMAGE_ONLY, deployment("till", "v1"))
    until(lambda: cluster.api.get(where), rolled_out)
    cluster.api.patch(where, {"spec": {"template": pod_template("till", "v2")}})
    until(lambda: cluster.api.get(where), rolled_out)
    with pytest.raises(PermanentError, match="an image must be named by digest"):
        InPlace(reader(api, "till"), dict).scale("v1", 2, MARK)
    labels = cluster.api.get(where)["spec"]["template"]["metadata"]["labels"]
    assert labels[VERSION_LABEL] == "v2"


def _service(cluster: clusters.Cluster, body: Object) -> None:
    path = path_of("services", IMAGE_ONLY, body["metadata"]["name"])
    _absent(cluster, path)
    created(cluster.api, IMAGE_ONLY, body)


def _absent(cluster: clusters.Cluster, path: str) -> None:
    """Another test of this session may have left it there."""
    folder, _, name = path.rpartition("/")

    def names() -> set[str]:
        return {one["metadata"]["name"] for one in cluster.api.get(folder)["items"]}

    if name in names():
        cluster.api.delete(path)
        until(names, lambda found: name not in found)


def _stands(cluster: clusters.Cluster, path: str) -> Object:
    def whole(found: Object) -> bool:
        told = found.get("status", {})
        return bool(
            told.get("observedGeneration") == found["metadata"]["generation"]
            and told.get("updatedReplicas") == told.get("readyReplicas") == 2
            and told.get("currentRevision") == told.get("updateRevision")
        )

    return until(lambda: cluster.api.get(path), whole)
