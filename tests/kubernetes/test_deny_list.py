"""The deny list on a real API server: what was rolled back is admitted for nobody any more."""

from pathlib import Path
from typing import Any

import pytest

from demo.kubernetes.api import MERGE, Object, Refused
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, deployment, path_of, pod_template, until

DENY_LIST = Path(__file__).parents[2] / "deploy/kubernetes/deny-list.yaml"
NAME = "rollback-manager-denied"
BAD, GOOD = "registry.test/shop:v2", "registry.test/shop:v1"
DIGEST = f"sha256:{'4f' * 32}"


@pytest.fixture(scope="module")
def policy(cluster: Cluster) -> None:
    """The policy as it is shipped. It stays: see docs/decisions/0041 on taking it away."""
    cluster.kubectl("apply", "-f", str(DENY_LIST))


@pytest.fixture
def denied(cluster: Cluster, namespace: str, policy: None) -> str:
    """A namespace whose list has been taken up by the API server."""
    lines = f"{BAD}\n\n  registry.test/other@{DIGEST}\n"
    body = {"metadata": {"name": NAME}, "data": {"shop": lines, "till": ""}}
    cluster.api.post(path_of("configmaps", namespace), body)
    until(lambda: is_refused(cluster, namespace, pod(BAD)), bool)
    return namespace


def pod(image: str, **spec: Any) -> Object:
    """One pod with this image."""
    template = pod_template("shop", "v2", image)
    template["spec"] |= spec
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "shop-", **template["metadata"]},
        "spec": template["spec"],
    }


def workload(kind: str, template: Object) -> Object:
    """A template of pods under one of the kinds that make pods of it."""
    selector = {"matchLabels": {"app": "shop"}}
    spec: Object = {"selector": selector, "template": template}
    if kind in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Never"
        spec = {"template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = "shop"
    if kind == "CronJob":
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
    group = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    meta = {"name": "shop", "labels": {"app": "shop"}}
    return {"apiVersion": group, "kind": kind, "metadata": meta, "spec": spec}


def path(namespace: str, body: Object) -> str:
    """Where objects of this kind are made."""
    plural = f"{body['kind'].lower()}s"
    root = "/api/v1" if body["apiVersion"] == "v1" else f"/apis/{body['apiVersion']}"
    return f"{root}/namespaces/{namespace}/{plural}"


def is_refused(cluster: Cluster, namespace: str, body: Object) -> str:
    """What the policy says to a try without effect; empty where it lets it through."""
    try:
        cluster.api.request("POST", path(namespace, body), json=body, params={"dryRun": "All"})
    except Refused as refused:
        if "rolled back and is denied here" not in refused.body:
            raise
        return refused.body
    return ""


@pytest.mark.parametrize(
    "kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"]
)
def test_no_template_with_a_denied_image_is_admitted(
    cluster: Cluster, denied: str, kind: str
) -> None:
    """Not even for an administrator."""
    told = is_refused(cluster, denied, workload(kind, pod_template("shop", "v2", BAD)))
    assert BAD in told
    assert not is_refused(cluster, denied, workload(kind, pod_template("shop", "v1", GOOD)))


@pytest.mark.parametrize(
    ("image", "refused"),
    [
        (BAD, True),
        (f"{BAD}@{DIGEST}", True),
        (f"registry.test/mirror:latest@{DIGEST}", True),
        (GOOD, False),
        (f"{BAD}.1", False),
        ("registry.test/shop", False),
        (f"registry.test/shop@sha256:{'5a' * 32}", False),
    ],
)
def test_an_image_is_known_by_its_tag_or_its_digest(
    cluster: Cluster, denied: str, image: str, refused: bool
) -> None:
    """The digest counts under every name; a longer tag is another one."""
    assert bool(is_refused(cluster, denied, pod(image))) is refused


def test_containers_that_run_first_count_too(cluster: Cluster, denied: str) -> None:
    """An image hides nowhere in a pod."""
    body = pod(GOOD, initContainers=[{"name": "first", "image": BAD}])
    assert is_refused(cluster, denied, body)


def test_the_way_back_from_a_denied_version_stays_open(
    cluster: Cluster, namespace: str, policy: None
) -> None:
    """What has the image already can be scaled and given another image, but never it again."""
    created(cluster.api, namespace, deployment("shop", "v2", 1, image=BAD))
    body = {"metadata": {"name": NAME}, "data": {"shop": BAD}}
    cluster.api.post(path_of("configmaps", namespace), body)
    until(lambda: is_refused(cluster, namespace, pod(BAD)), bool)
    where = path_of("deployments", namespace, "shop")
    cluster.api.patch(where, {"spec": {"replicas": 0}}, MERGE)
    cluster.kubectl("-n", namespace, "set", "image", "deployment/shop", f"main={GOOD}")
    with pytest.raises(Refused, match="rolled back and is denied here"):
        cluster.api.patch(
            where,
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": BAD}]}}}},
        )


def test_a_namespace_without_a_list_is_left_alone(
    cluster: Cluster, namespace: str, policy: None
) -> None:
    """And one whose list has been emptied."""
    assert not is_refused(cluster, namespace, pod(BAD))
    cluster.api.post(path_of("configmaps", namespace), {"metadata": {"name": NAME}})
    assert not is_refused(cluster, namespace, pod(BAD))
