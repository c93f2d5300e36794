"""Restore points frozen from the real API, kept in real records, and used on the way back."""

import dataclasses
import json
from functools import partial
from pathlib import Path

import pytest

from demo.kubernetes import crds
from demo.kubernetes.api import Object
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Ready
from rollback_manager.drift import drift
from rollback_manager.errors import Blocked, NotFound, PermanentError
from rollback_manager.frozen import MOST_BYTES, Frozen
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    http_route,
    path_of,
    pod_template,
    rolled_out,
    service,
    until,
)
from tests.kubernetes.roles import api
from tests.kubernetes.shop import ENV, SERVICE, Service, mark, placed
from tests.kubernetes.shop import service as opened

MERGE = "application/merge-patch+json"
PASSWORD = "correct horse battery staple"  # noqa: S105 - it must not be found anywhere


def config_map(name: str, **content: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": content}


def secret(name: str) -> Object:
    metadata = {"name": name}
    return {"kind": "Secret", "metadata": metadata, "stringData": {"password": PASSWORD}}


def template(version: str, config: str = "shop-config") -> Object:
    """Names one ConfigMap in each way there is, and Secrets in two."""
    made = pod_template("shop", version)
    container = made["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": config}}]
    container["env"] = [
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "by-key", "key": "mode"}}},
        {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
    ]
    sources = [{"configMap": {"name": "projected"}}, {"secret": {"name": "tokens"}}]
    made["spec"]["volumes"] = [
        {"name": "files", "configMap": {"name": "files"}},
        {"name": "both", "projected": {"sources": sources}},
        {"name": "maybe", "configMap": {"name": "absent", "optional": True}},
    ]
    return made


def deploy(cluster: Cluster, namespace: str, version: str, config: str = "shop-config") -> None:
    path = path_of("deployments", namespace, "shop")
    cluster.api.patch(path, {"spec": {"template": template(version, config)}}, MERGE)
    until(lambda: cluster.api.get(path), rolled_out)


@pytest.fixture
def shop(cluster: Cluster, namespace: str, kubelet: Kubelet) -> str:
    """v1 with its configuration, rolled out."""
    for name in ("shop-config", "by-key", "files", "projected"):
        created(cluster.api, namespace, config_map(name, mode=f"of {name}", level="info"))
    for name in ("database", "tokens"):
        created(cluster.api, namespace, secret(name))
    made = deployment("shop", "v1", 2)
    made["spec"]["template"] = template("v1")
    created(cluster.api, namespace, made)
    created(cluster.api, namespace, service("shop"))
    until(lambda: cluster.api.get(path_of("deployments", namespace, "shop")), rolled_out)
    return namespace


def frozen(own: Service, digest: str) -> Frozen:
    kept = own.records.frozen(ENV, SERVICE, digest)
    assert kept is not None
    return kept


def test_all_that_returns_with_a_release_is_frozen(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 2,
            "maxReplicas": 9,
        },
    }
    cluster.api.post(path_of("horizontalpodautoscalers", shop), scaler)
    crds.install(cluster.api, crds.GATEWAY_API)
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        point = own.record("v1", from_cluster=True).restore_point
        assert point is not None
        kept = frozen(own, point.frozen)
    (workload,) = kept.workloads
    pods = cluster.api.get(path_of("pods", shop), labelSelector="app=shop")["items"]
    reported = pods[0]["status"]["containerStatuses"][0]["imageID"].rpartition("@")[2]
    assert (workload.name, workload.replicas) == ("shop", 2)
    assert workload.hash == pods[0]["metadata"]["labels"]["pod-template-hash"]
    assert json.loads(workload.template)["spec"]["containers"][0]["image"].endswith("shop:v1")
    assert workload.images == point.images == {"main": (reported,)}
    assert [(one.minimum, one.maximum) for one in kept.scalers] == [(2, 9)]
    maps = {one.name: one.content for one in kept.config_maps}
    assert maps.keys() == {"shop-config", "by-key", "files", "projected"}
    assert maps["by-key"] == {"mode": "of by-key", "level": "info"}
    assert kept.missing == ("absent",)
    assert {one.name for one in kept.secrets} == {"database", "tokens"}
    assert all("/" in one.written for one in kept.secrets)
    assert kept.crds is not None
    assert kept.crds["httproutes.gateway.networking.k8s.io"] == "v1"
    assert kept.not_read == ()


def test_what_a_secret_holds_is_never_read(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        own.record("v1", from_cluster=True)
    encoded = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ=="
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"shop-config" in everything, "the right files are searched"
    assert PASSWORD.encode() not in everything
    assert encoded.encode() not in everything


def test_without_the_right_secrets_are_there_by_name(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    robot = account(cluster, shop, tmp_path, ["configmaps", "pods", "services"])
    with opened(placed(cluster, shop, "shop", kubeconfig=robot), tmp_path) as own:
        with pytest.raises(PermanentError, match="horizontalpodautoscalers"):
            own.record("v1", from_cluster=True)
        assert own.records.releases(ENV, SERVICE) == []
        point = own.record("v1").restore_point
        assert point is not None
        kept = frozen(own, point.frozen)
    assert {one.name: one.written for one in kept.secrets} == {"database": "", "tokens": ""}
    assert kept.crds is None
    assert sorted(kept.not_read) == [
        "Secrets: not read, by name alone (no right to read them)",
        "autoscalers: not read (no right)",
        "custom resources: not read (no right)",
    ]
    assert point.notes[1:] == kept.not_read
    assert len(kept.config_maps) == 4


def account(cluster: Cluster, namespace: str, folder: Path, core: list[str]) -> Path:
    """May read these, and the controllers; nothing else."""
    rules = [
        {"apiGroups": [""], "resources": core, "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["*"], "verbs": ["list"]},
    ]
    cluster.api.post(path_of("roles", namespace), {"metadata": {"name": "robot"}, "rules": rules})
    token = cluster.account_token(namespace, "robot")
    binding = {
        "metadata": {"name": "robot"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}],
    }
    cluster.api.post(path_of("rolebindings", namespace), binding)
    return cluster.kubeconfig_with(token, folder / "robot")


def test_a_job_that_runs_again_leaves_the_point_as_it_was(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    path = path_of("configmaps", shop, "shop-config")
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        first = own.record("v1").restore_point
        cluster.api.patch(path, {"data": {"level": "debug"}}, MERGE)
        assert own.record("v1").restore_point == first
        again = own.record("v1", from_cluster=True)
        assert first is not None
        assert again.restore_point is not None
        assert again.restore_point.frozen != first.frozen
        assert str(again.standing) == "verified", "its evidence stays"
        kept = frozen(own, again.restore_point.frozen)
    (changed,) = [one for one in kept.config_maps if one.name == "shop-config"]
    assert changed.content["level"] == "debug"


def test_a_route_is_frozen_with_its_rules(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    crds.install(cluster.api, crds.GATEWAY_API)
    for version in ("v1", "v2"):
        created(cluster.api, namespace, deployment(f"shop-{version}", version, 1, app="shop"))
        created(cluster.api, namespace, service(f"shop-{version}", version, app="shop"))
    created(cluster.api, namespace, http_route("shop", {"shop-v1": 0, "shop-v2": 100}))
    catalogue = placed(cluster, namespace, "shop-v1", "shop-v2", route="shop")
    with opened(catalogue, tmp_path) as own:
        point = own.record("v2", from_cluster=True).restore_point
        assert point is not None
        kept = frozen(own, point.frozen)
    assert [one.name for one in kept.workloads] == ["shop-v2"]
    assert kept.route is not None
    assert json.loads(kept.route.spec)["rules"][0]["backendRefs"][1]["name"] == "shop-v2"


def test_more_than_the_records_take_is_told_by_name(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    for name in ("files", "projected"):
        large = {"data": {"big": "x" * (MOST_BYTES * 6 // 10)}}
        cluster.api.patch(path_of("configmaps", shop, name), large, MERGE)
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        with pytest.raises(Blocked, match=r"at most 1024 KiB.*files \(614 KiB\)"):
            own.record("v1", from_cluster=True)
        assert own.records.releases(ENV, SERVICE) == []
        point = own.record("v1").restore_point
        assert point is not None
        kept = frozen(own, point.frozen)
    assert sum(one.is_kept for one in kept.config_maps) == 3
    assert any("not kept: 614 KiB" in note for note in point.notes)


def test_a_service_that_is_on_no_cluster_says_so(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        own.target = dataclasses.replace(own.target, freezer=None)
        with pytest.raises(Blocked, match="does not run on a cluster"):
            own.record("v1", from_cluster=True)
        point = own.record("v1").restore_point
        assert point is not None
        assert point.frozen == ""


def test_a_template_that_the_cluster_forgot_comes_from_the_records(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    path = path_of("deployments", shop, "shop")
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        own.record("v1")
        cluster.api.patch(path, {"spec": {"revisionHistoryLimit": 0}}, MERGE)
        deploy(cluster, shop, "v2")
        sets = path_of("replicasets", shop)
        until(lambda: cluster.api.get(sets)["items"], lambda items: len(items) == 1)
        own.target.workloads.scale("v1", 2, mark(0))
        state = until(lambda: own.target.workloads.versions()["v1"], lambda state: state.ready == 2)
        assert state.digest == own.records.releases(ENV, SERVICE)[0].digest
    found = cluster.api.get(path)["spec"]["template"]["spec"]["containers"][0]
    assert found["image"].endswith(":v1")


def test_without_the_records_that_template_is_gone(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    """The control of the test above."""
    path = path_of("deployments", shop, "shop")
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        cluster.api.patch(path, {"spec": {"revisionHistoryLimit": 0}}, MERGE)
        deploy(cluster, shop, "v2")
        sets = path_of("replicasets", shop)
        until(lambda: cluster.api.get(sets)["items"], lambda items: len(items) == 1)
        with pytest.raises(NotFound, match="no revision of v1 any more"):
            own.target.workloads.scale("v1", 2, mark(0))


def test_pods_with_another_image_than_recorded_do_not_count(
    cluster: Cluster, shop: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    """The tag was given another image between the record and now."""
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        own.record("v1")
        deploy(cluster, shop, "v2")
        kubelet.behaviour["v1"] = Ready(digest=f"sha256:{'0' * 64}")
        own.target.workloads.scale("v1", 2, mark(0))
        until(lambda: cluster.api.get(path_of("deployments", shop, "shop")), rolled_out)
        state = until(
            lambda: own.target.workloads.versions()["v1"], lambda state: state.running == 2
        )
    assert state.ready == 0
    assert "image digest moved: main runs sha256:000000000000, sha256:" in state.note


def test_a_secret_is_asked_for_without_its_content(cluster: Cluster, shop: str) -> None:
    """The API itself leaves it out; what never comes cannot be lost."""
    path = path_of("secrets", shop, "database")
    assert "data" in api(cluster).get(path), "it has some"
    assert api(cluster).metadata(path).keys() <= {"kind", "apiVersion", "metadata"}
    (listed,) = [
        one
        for one in api(cluster).items(path_of("secrets", shop), metadata=True)
        if one["metadata"]["name"] == "database"
    ]
    assert "data" not in listed


def test_an_old_version_is_recorded_without_what_runs_no_more(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        deploy(cluster, shop, "v2")
        own.target = own.make()
        with pytest.raises(NotFound, match="has version v1 now"):
            own.record("v1", from_cluster=True)
        point = own.record("v1").restore_point
    assert point is not None
    assert (point.frozen, len(point.notes)) == ("", 1)


def test_a_custom_resource_that_was_changed_is_read_again(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    """Those that were not are not: their definitions are megabytes."""
    schema = {"openAPIV3Schema": {"type": "object"}}
    v1 = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    group = f"{shop}.example.com"
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    body = {
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [v1]},
    }
    cluster.api.post(path, body)
    try:
        with opened(placed(cluster, shop, "shop"), tmp_path) as own:
            point = own.record("v1").restore_point
            assert point is not None
            then = frozen(own, point.frozen)
            freezer = own.target.freezer
            assert freezer is not None
            assert freezer.again(then).crds == then.crds
            both = [{**v1, "storage": False, "served": False}, {**v1, "name": "v2"}]
            cluster.api.patch(f"{path}/widgets.{group}", {"spec": {"versions": both}}, MERGE)
            found = drift(then, freezer.again(then))
    finally:
        cluster.api.delete(f"{path}/widgets.{group}")
    assert found.told == (f"CRD widgets.{group}: storage version v1 → v2",)
    assert f"CRD widgets.{group}: v1 no longer served; what needs it fails" in found.until


def test_how_long_the_history_of_the_cluster_lasts(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    path = path_of("deployments", shop, "shop")
    cluster.api.patch(path, {"spec": {"revisionHistoryLimit": 2}}, MERGE)
    said: list[str] = []
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        own.record("v1")
        for version in ("v2", "v3", "v4"):
            deploy(cluster, shop, version)
            sets = 3 if version == "v4" else int(version[1])
            all_sets = path_of("replicasets", shop)
            until(partial(cluster.api.get, all_sets), partial(has, sets))
            own.target = own.make()
            said += own.plan().found[0].until
    assert ["1 more" in said[0], "0 more" in said[1], "forgot" in said[2]] == [True, True, True], (
        said
    )


def has(count: int, found: Object) -> bool:
    return len(found["items"]) == count
