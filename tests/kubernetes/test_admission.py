"""What our account may change in an object that it may patch: on a real API server, in both modes.

Each try is a dry run: it goes through admission as a write does, and leaves the object as it was.
"""

from functools import partial
from typing import Any

import pytest

from demo.kubernetes.api import Object
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installed import ACCOUNT, IMAGE_ONLY, TEMPLATE, Installed, marked
from tests.kubernetes.objects import (
    created,
    deployment,
    http_route,
    path_of,
    pod_template,
    service,
    stateful_set,
    until,
)

V1 = f"registry.example/shop/till@sha256:{'1a' * 32}"
V2 = f"registry.example/shop/till@sha256:{'2b' * 32}"
FOREIGN = f"registry.elsewhere/shop/till@sha256:{'3c' * 32}"
POD = "/spec/template/spec"
LABELS = "/spec/template/metadata/labels"
VERSION = f"{LABELS}/app.kubernetes.io~1version"


@pytest.fixture(scope="module", autouse=True)
def objects(ours: Installed, cluster: Cluster) -> None:
    """A workload in a namespace of each mode, once the policies are taken up."""
    created(cluster.api, IMAGE_ONLY, noted(deployment("till", "v2", template=template("till"))))
    created(cluster.api, IMAGE_ONLY, noted(service("till")))
    created(cluster.api, IMAGE_ONLY, noted(http_route("search", {"stable": 90, "canary": 10})))
    created(cluster.api, TEMPLATE, noted(stateful_set("orders", "v2", template=template("orders"))))
    for path in (TILL, ORDERS):
        until(partial(said, ours, path, [unmarked()]), bool)
        until(partial(said, ours, path, marked(*NEVER["another account"])), bool)
        until(partial(said, ours, path, marked(unmarked())), lambda told: not told)


def noted(body: Object) -> Object:
    """With an annotation of somebody else."""
    body["metadata"]["annotations"] = {"team": "shop"}
    return body


def template(app: str) -> Object:
    """Pods that have a Secret and an account of their own already."""
    body = pod_template(app, "v2", V2)
    body["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-01"}
    body["spec"] |= {
        "serviceAccountName": "till",
        "volumes": [{"name": "database", "secret": {"secretName": "database"}}],
    }
    body["spec"]["containers"][0] |= {
        "env": [{"name": "MODE", "value": "plain"}, secret_env("database")],
        "securityContext": {"runAsUser": 1000},
    }
    return body


def secret_env(name: str) -> Object:
    """A variable with a value out of a Secret."""
    return {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": "password"}}}


def put(path: str, value: Any) -> Object:
    """One operation of a JSON patch."""
    return {"op": "add", "path": path, "value": value}


def gone(path: str) -> Object:
    """The same, taking it away."""
    return {"op": "remove", "path": path}


def unmarked() -> Object:
    """A change that would be let through if it carried a mark."""
    return put("/spec/replicas", 3)


def said(ours: Installed, path: str, operations: list[Object]) -> str:
    """What the policies say against it; empty where they let it through."""
    refused = ours.refused("PATCH", path, operations, params={"dryRun": "All"})
    if refused is None:
        return ""
    assert refused.status == 422, refused
    assert "ValidatingAdmissionPolicy 'rollback-manager-" in refused.body
    return refused.body


IMAGE = put(f"{POD}/containers/0/image", V1)
ALWAYS: dict[str, list[Object]] = {
    "another count": [put("/spec/replicas", 5)],
    "paused": [put("/spec/paused", value=True)],
    "an image by digest": [IMAGE],
    "the version with it": [IMAGE, put(VERSION, "v1")],
    "another note of ours": [put("/metadata/annotations/rollback-manager.io~1held", "yes")],
    "without kubectl's restart": [gone("/spec/template/metadata/annotations")],
}
NEVER: dict[str, list[Object]] = {
    "another account": [put(f"{POD}/serviceAccountName", "admin")],
    "the host's network": [put(f"{POD}/hostNetwork", value=True)],
    "the host's processes": [put(f"{POD}/hostPID", value=True)],
    "the host's memory": [put(f"{POD}/hostIPC", value=True)],
    "the host's files": [put(f"{POD}/volumes/-", {"name": "h", "hostPath": {"path": "/"}})],
    "another Secret as files": [
        put(f"{POD}/volumes/-", {"name": "s", "secret": {"secretName": "other"}})
    ],
    "another Secret under the old name": [put(f"{POD}/volumes/0/secret/secretName", "other")],
    "another Secret among others": [
        put(
            f"{POD}/volumes/-",
            {"name": "p", "projected": {"sources": [{"secret": {"name": "other"}}]}},
        )
    ],
    "a token as a file": [
        put(
            f"{POD}/volumes/-",
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        )
    ],
    "a foreign driver": [put(f"{POD}/volumes/-", {"name": "c", "csi": {"driver": "any.test"}})],
    "another Secret as a variable": [put(f"{POD}/containers/0/env/1", secret_env("other"))],
    "another key of a Secret": [
        put(f"{POD}/containers/0/env/1/valueFrom/secretKeyRef/key", "root-password")
    ],
    "another Secret as all variables": [
        put(f"{POD}/containers/0/envFrom", [{"secretRef": {"name": "other"}}])
    ],
    "privileged": [put(f"{POD}/containers/0/securityContext/privileged", value=True)],
    "another capability": [
        put(f"{POD}/containers/0/securityContext/capabilities", {"add": ["SYS_ADMIN"]})
    ],
    "all of /proc": [
        put(f"{POD}/hostUsers", value=False),
        put(f"{POD}/containers/0/securityContext/procMount", "Unmasked"),
    ],
    "a privileged container beside it": [
        put(
            f"{POD}/containers/-",
            {"name": "b", "image": V1, "securityContext": {"privileged": True}},
        )
    ],
    "a privileged container before it": [
        put(
            f"{POD}/initContainers",
            [{"name": "b", "image": V1, "securityContext": {"privileged": True}}],
        )
    ],
    "another security of the pod": [put(f"{POD}/securityContext", {"runAsUser": 0})],
    "one machine": [put(f"{POD}/nodeName", "control-plane")],
    "an image from elsewhere": [put(f"{POD}/containers/0/image", FOREIGN)],
    "an image from a look-alike": [
        put(f"{POD}/containers/0/image", V1.replace("example/shop/", "example/shopper/"))
    ],
    "other labels": [put("/metadata/labels/team", "other")],
    "somebody else's note": [put("/metadata/annotations/team", "other")],
    "somebody else's note away": [gone("/metadata/annotations/team")],
    "a finalizer": [put("/metadata/finalizers", ["any.test/stuck"])],
    "an owner": [
        put(
            "/metadata/ownerReferences",
            [{"apiVersion": "v1", "kind": "Pod", "name": "any", "uid": "0"}],
        )
    ],
    "another length of history": [put("/spec/revisionHistoryLimit", 0)],
}
ONLY_AS_TEMPLATE: dict[str, list[Object]] = {
    "a variable": [put(f"{POD}/containers/0/env/0/value", "fancy")],
    "a command": [put(f"{POD}/containers/0/command", ["run"])],
    "a probe": [put(f"{POD}/containers/0/readinessProbe", {"tcpSocket": {"port": 80}})],
    "a ConfigMap": [put(f"{POD}/volumes/-", {"name": "c", "configMap": {"name": "settings"}})],
    "without a Secret": [gone(f"{POD}/volumes"), gone(f"{POD}/containers/0/env/1")],
    "a container beside it": [put(f"{POD}/containers/-", {"name": "b", "image": V1})],
    "a label of the pods": [put(f"{LABELS}/tier", "web")],
    "an annotation of the pods": [put("/spec/template/metadata/annotations/any", "yes")],
    "an image by its tag": [put(f"{POD}/containers/0/image", "registry.example/shop/till:v1")],
}
TILL, ORDERS = (
    path_of("deployments", IMAGE_ONLY, "till"),
    path_of("statefulsets", TEMPLATE, "orders"),
)
BOTH = pytest.mark.parametrize("path", [TILL, ORDERS], ids=["image-only", "template"])


@BOTH
@pytest.mark.parametrize("deed", ALWAYS)
def test_what_a_rollback_sets_is_let_through(ours: Installed, path: str, deed: str) -> None:
    """With a new mark, as the product writes."""
    if deed == "paused" and path == ORDERS:
        return  # a StatefulSet cannot be
    assert not said(ours, path, marked(*ALWAYS[deed]))


@BOTH
@pytest.mark.parametrize("deed", NEVER)
def test_no_write_gives_the_pods_more_power(ours: Installed, path: str, deed: str) -> None:
    """Whoever may patch a Deployment could have every Secret of its namespace."""
    assert said(ours, path, marked(*NEVER[deed]))


@pytest.mark.parametrize("deed", ONLY_AS_TEMPLATE)
def test_only_template_mode_puts_the_rest_of_a_template_back(ours: Installed, deed: str) -> None:
    """It is let through there, and refused where a namespace is image-only."""
    operations = marked(*ONLY_AS_TEMPLATE[deed])
    assert not said(ours, ORDERS, operations)
    assert "image-only mode" in said(ours, TILL, operations)


@BOTH
def test_a_write_without_a_new_mark_is_refused(
    ours: Installed, cluster: Cluster, path: str
) -> None:
    """The mark is what tells a write of the product from one with its stolen token."""
    assert "carries a new mark" in said(ours, path, [unmarked()])
    old = {"metadata": {"annotations": {"rollback-manager.io/mark": "2.1.op"}}}
    cluster.api.patch(path, old)
    assert "carries a new mark" in said(ours, path, marked(unmarked(), mark="2.1.op"))
    assert not said(ours, path, marked(unmarked(), mark="2.2.op"))
    cluster.api.patch(path, {"metadata": {"annotations": {"rollback-manager.io/mark": None}}})


def test_of_a_service_only_the_selector_changes(ours: Installed) -> None:
    """Not its ports, its kind, nor where it leads outside."""
    path = path_of("services", IMAGE_ONLY, "till")
    assert not said(ours, path, marked(put("/spec/selector", {"app": "till", "version": "v1"})))
    for change in (
        put("/spec/ports/0/targetPort", 22),
        put("/spec/externalIPs", ["203.0.113.1"]),
        put("/spec/type", "NodePort"),
    ):
        assert "only these fields of a Service" in said(ours, path, marked(change))
    assert "no labels" in said(ours, path, marked(put("/metadata/labels", {"any": "yes"})))


def test_of_a_route_only_the_weights_change(ours: Installed) -> None:
    """Neither where it leads, nor what it takes, nor one rule more or less."""
    path = path_of("httproutes", IMAGE_ONLY, "search")
    first, second = (f"/spec/rules/0/backendRefs/{number}" for number in (0, 1))
    weights = marked(put(f"{first}/weight", 100), put(f"{second}/weight", 0))
    assert not said(ours, path, weights)
    for change in (
        put(f"{first}/name", "other"),
        put(f"{first}/port", 22),
        put(f"{first}/namespace", "other"),
        gone(second),
        put("/spec/rules/0/backendRefs/-", {"name": "other", "port": 80}),
        put("/spec/rules/0/timeouts", {"request": "1s"}),
        put("/spec/rules/-", {"backendRefs": [{"name": "other", "port": 80}]}),
        put("/spec/hostnames", ["any.test"]),
        put("/spec/parentRefs/0/name", "other"),
    ):
        assert said(ours, path, marked(change)), change


def test_a_right_to_create_that_somebody_adds_is_of_no_use(
    ours: Installed, cluster: Cluster
) -> None:
    """A new object has nothing that its template could be held against."""
    rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]}
    meta = {"name": "too-much"}
    cluster.api.post(path_of("roles", IMAGE_ONLY), {"metadata": meta, "rules": [rule]})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", **meta}
    subject = {"kind": "ServiceAccount", "namespace": ACCOUNT[0], "name": ACCOUNT[1]}
    bound = {"metadata": meta, "roleRef": ref, "subjects": [subject]}
    cluster.api.post(path_of("rolebindings", IMAGE_ONLY), bound)
    path, body = path_of("deployments", IMAGE_ONLY), noted(deployment("mine", "v1"))

    def told() -> str:
        refused = ours.refused("POST", path, body, params={"dryRun": "All"})
        return refused.body if refused else "let through"

    until(told, lambda text: "cannot create" not in text)
    assert "our account creates nothing of this kind" in told()
    cluster.api.delete(path_of("rolebindings", IMAGE_ONLY, "too-much"))
    cluster.api.delete(path_of("roles", IMAGE_ONLY, "too-much"))


def test_everybody_else_writes_as_before(ours: Installed, cluster: Cluster) -> None:
    """The policies bind our account alone."""
    change = [put(f"{POD}/serviceAccountName", "admin")]
    headers = {"content-type": "application/json-patch+json"}
    query = {"dryRun": "All"}
    cluster.api.request("PATCH", TILL, json=change, headers=headers, params=query)
