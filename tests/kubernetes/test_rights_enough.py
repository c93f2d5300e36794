"""The product with the shipped Role, its policies and nothing else: every role reads and writes."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import pytest

from activities.integrations.kubernetes import (
    Api,
    ClusterConfiguration,
    HttpRouteTraffic,
    InPlace,
    KubernetesOwners,
    PodFeed,
    Reader,
    ServiceTraffic,
    SideBySide,
)
from activities.targets import Traffic
from demo.kubernetes.api import Object, Refused
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import VERSION_LABEL
from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import PermanentError
from rollback_manager.operation import Mark
from rollback_manager.owners import OwnerKind, to_hold
from rollback_manager.plan import OwnersHeld
from rollback_manager.platforms import (
    Cluster,
    HttpRouteTarget,
    KubernetesTarget,
    ServiceTarget,
)
from tests.kubernetes import cluster as clusters
from tests.kubernetes.installed import ARGO, DEPLOY, FLUX, IMAGE_ONLY, TEMPLATE, Installed
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


def _anew(cluster: clusters.Cluster, body: dict[str, Any]) -> None:
    """Created, also where another test of the shared namespace has left one of its name."""
    path = path_of("deployments", IMAGE_ONLY, body["metadata"]["name"])
    with suppress(Refused):
        cluster.api.delete(path)
    created(cluster.api, IMAGE_ONLY, body)


def test_blue_and_green_change_places(
    cluster: clusters.Cluster, kubelet: Kubelet, api: Api
) -> None:
    """The good side grows, the selector moves, the bad side goes to nothing."""
    for name, version, count in (("shop-blue", "v1", 1), ("shop-green", "v2", 2)):
        body = deployment(name, version, count, app="shop", image=image("shop", version))
        _anew(cluster, body)
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


def owners(api: Api, name: str) -> KubernetesOwners:
    """Of a service of the shipped catalogue."""
    one = CATALOGUE.placement("prod", name)
    return KubernetesOwners(
        f"prod/{name}", reader(api, name), one.traffic, one.gitops, {"main": api}
    )


HPA = f"/apis/autoscaling/v2/namespaces/{IMAGE_ONLY}/horizontalpodautoscalers/till"
APPLICATION = f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO}/applications/till"
KUSTOMIZATION = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{FLUX}/kustomizations/orders"
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}}


@pytest.fixture
def till(cluster: clusters.Cluster, kubelet: Kubelet) -> Iterator[None]:
    """With all that is beside it: an autoscaler, an Application whose sync runs, a ConfigMap."""
    where = path_of("deployments", IMAGE_ONLY, "till")
    beside = (HPA, APPLICATION, path_of("configmaps", IMAGE_ONLY, "till"))
    for path in (where, *beside):
        _absent(cluster, path)
    created(cluster.api, IMAGE_ONLY, deployment("till", "v1", image=image("till", "v1")))
    _service(cluster, service("till"))
    until(lambda: cluster.api.get(where), rolled_out)
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "till"}
    bounds = {"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": scaled}
    cluster.api.post(HPA.rpartition("/")[0], {"metadata": {"name": "till"}, "spec": bounds})
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "till"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.test/till.git", "path": "."},
            "destination": {"namespace": IMAGE_ONLY, "name": "in-cluster"},
            "syncPolicy": AUTOMATED,
        },
        "status": {
            "operationState": {
                "phase": "Running",
                "startedAt": "2026-01-01T00:00:00Z",
                "operation": {},
            }
        },
    }
    cluster.api.post(APPLICATION.rpartition("/")[0], body)
    maps = path_of("configmaps", IMAGE_ONLY)
    cluster.api.post(maps, {"metadata": {"name": "till"}, "data": {"level": "info"}})
    yield
    for path in beside:
        cluster.api.delete(path)


def test_owners_are_held_and_given_back(cluster: clusters.Cluster, till: None, api: Api) -> None:
    """An autoscaler whose maximum is too low as well; an Application, whose sync is ended."""
    own = owners(api, "till")
    found = to_hold(own.found(), "v1")
    assert {one.kind for one in found} == {OwnerKind.ARGO_CD, OwnerKind.AUTOSCALER}
    wanted = OwnersHeld(owners=found, minimum=3)
    assert "automated" in cluster.api.get(APPLICATION)["spec"]["syncPolicy"], "a dry run"
    for _ in range(2):  # as a step that is tried again
        own.set(wanted, MARK)
    assert own.missing(wanted) == "Application argocd/till: a sync of it is terminating"
    ended = {"status": {"operationState": {"phase": "Failed"}}}
    cluster.api.patch(APPLICATION, ended, "application/merge-patch+json")
    assert own.missing(wanted) == ""
    assert cluster.api.get(APPLICATION)["spec"]["syncPolicy"] == {}
    spec = cluster.api.get(HPA)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 3)
    back = wanted.model_copy(update={"hold": False})
    own.set(back, MARK.model_copy(update={"step": 2}))
    assert own.missing(back) == ""
    assert cluster.api.get(APPLICATION)["spec"]["syncPolicy"] == AUTOMATED
    spec = cluster.api.get(HPA)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 2)


def test_an_application_that_may_not_be_read_is_said(
    cluster: clusters.Cluster, till: None, api: Api
) -> None:
    """Nor one that may not be written, before anything is approved."""
    path = path_of("roles", ARGO, "rollback-manager")
    role, own = cluster.api.get(path), owners(api, "till")
    reading = [role["rules"][0] | {"verbs": ["get"]}]

    def given(rules: list[Object]) -> None:
        cluster.api.put(path, cluster.api.get(path) | {"rules": rules})

    def told() -> str:
        return next(one for one in own.found() if one.kind is OwnerKind.ARGO_CD).not_held_because

    try:
        given(reading)
        assert 'cannot patch resource "applications"' in until(told, bool)
        given([])
        until(told, lambda words: "not held, for it cannot be read" in words)
    finally:
        given(role["rules"])
        until(told, lambda words: not words)


def test_flux_is_suspended_and_resumed(
    cluster: clusters.Cluster, kubelet: Kubelet, api: Api
) -> None:
    """As the catalogue names it."""
    where = path_of("statefulsets", TEMPLATE, "orders")
    _absent(cluster, where)
    created(cluster.api, TEMPLATE, stateful_set("orders", "v1"))
    created(cluster.api, TEMPLATE, service("orders"))
    _absent(cluster, KUSTOMIZATION)
    source = {"kind": "GitRepository", "name": "orders"}
    body = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "orders"},
        "spec": {"interval": "1m", "prune": True, "sourceRef": source},
    }
    cluster.api.post(KUSTOMIZATION.rpartition("/")[0], body)
    own = owners(api, "orders")
    wanted = OwnersHeld(owners=to_hold(own.found(), "v1"))
    own.set(wanted, MARK)
    assert cluster.api.get(KUSTOMIZATION)["spec"]["suspend"] is True
    assert own.missing(wanted) == ""
    own.set(wanted.model_copy(update={"hold": False}), MARK.model_copy(update={"step": 2}))
    assert cluster.api.get(KUSTOMIZATION)["spec"]["suspend"] is False
    cluster.api.delete(KUSTOMIZATION)
    cluster.api.delete(path_of("services", TEMPLATE, "orders"))


def test_the_config_map_that_is_named_returns(
    cluster: clusters.Cluster, till: None, api: Api
) -> None:
    """And no other one is read."""
    where = path_of("configmaps", IMAGE_ONLY, "till")
    configuration = ClusterConfiguration(reader(api, "till"))
    good = configuration.read(["ConfigMap till"])
    cluster.api.patch(where, {"data": {"level": "debug", "more": "yes"}})
    bad = configuration.read(["ConfigMap till"])
    configuration.try_out(good)
    configuration.write(good, bad, MARK)
    assert cluster.api.get(where)["data"] == {"level": "info"}
    with pytest.raises(PermanentError, match="cannot get resource"):
        configuration.read(["ConfigMap other"])


def test_what_was_rolled_back_is_denied(cluster: clusters.Cluster, till: None, api: Api) -> None:
    """Its images are on the list of the namespace, each once, and others stay on it."""
    where = path_of("configmaps", IMAGE_ONLY, "rollback-manager-denied")
    cluster.api.patch(where, {"data": {"other": "registry.example/other:v1\n"}})
    own = owners(api, "till")
    own.try_out_deny()
    assert own.deny("v1").startswith("denied from now on: ")
    assert own.deny("v1").startswith("denied already: ")
    data = cluster.api.get(where)["data"]
    cluster.api.patch(where, {"data": None})
    assert image("till", "v1") in data["till"].split("\n")
    assert data["other"] == "registry.example/other:v1\n"


def _service(cluster: clusters.Cluster, body: Object) -> None:
    path = path_of("services", IMAGE_ONLY, body["metadata"]["name"])
    _absent(cluster, path)
    created(cluster.api, IMAGE_ONLY, body)


def _absent(cluster: clusters.Cluster, path: str) -> None:
    """Another test may have left it there."""
    folder, _, name = path.rpartition("/")

    def listed() -> Object:
        try:
            return cluster.api.get(folder)
        except Refused as refused:  # a custom kind that is just installed has no storage yet
            if refused.status != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return {}

    def names() -> set[str]:
        items = until(listed, lambda found: "items" in found)["items"]
        return {one["metadata"]["name"] for one in items}

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
