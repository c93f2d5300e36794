"""What our account may change in autoscalers, Argo CD, Flux, ConfigMaps and the deny list.

Each try is a dry run on a real API server: it goes through admission, and leaves all as it was.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from demo.kubernetes.api import Object
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installed import ACCOUNT, ARGO, FLUX, IMAGE_ONLY, TEMPLATE, Installed
from tests.kubernetes.objects import created, http_route, path_of, until

HPAS = f"/apis/autoscaling/v2/namespaces/{IMAGE_ONLY}/horizontalpodautoscalers"
HPA, HELD_HPA = f"{HPAS}/till", f"{HPAS}/till-held"
APPS = f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO}/applications"
FLUXES = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{FLUX}/kustomizations"
MAPS = f"/api/v1/namespaces/{IMAGE_ONLY}/configmaps"
NOTES = "/metadata/annotations"
HELD = f"{NOTES}/rollback-manager.io~1held"
MARK = f"{NOTES}/rollback-manager.io~1mark-0123456789"
AUTOMATED = "/spec/syncPolicy/automated"


def put(path: str, value: Any) -> Object:
    """One operation of a JSON patch."""
    return {"op": "add", "path": path, "value": value}


def gone(path: str) -> Object:
    """The same, taking it away."""
    return {"op": "remove", "path": path}


def held(was: str) -> str:
    """The annotation, as the product writes it."""
    return f'{{"by": ["prod/till"], "was": {was}}}'


def holding(was: str, *operations: Object) -> list[Object]:
    """A hold: a note of what was there, the mark of one service, and the change."""
    return [put(HELD, held(was)), put(MARK, "2.1.op"), *operations]


def freeing(*operations: Object) -> list[Object]:
    """An owner is given back what it had."""
    return [gone(HELD), put(MARK, "2.2.op"), *operations]


BOUNDS = '{"maxReplicas": 6, "minReplicas": 2}'
AUTO = '{"automated": {"prune": true, "selfHeal": true}}'
RUNS = {"phase": "Running", "operation": {"sync": {}}, "startedAt": "2026-01-01T00:00:00Z"}


@pytest.fixture(scope="module", autouse=True)
def objects(ours: Installed, cluster: Cluster) -> Iterator[None]:
    """Owners that are as they are, and owners that are held."""
    api = cluster.api
    for name, bounds, note in (
        ("till", (2, 6), {}),
        ("till-held", (4, 6), {"rollback-manager.io/held": held(BOUNDS)}),
    ):
        scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nobody"}
        spec = {"minReplicas": bounds[0], "maxReplicas": bounds[1], "scaleTargetRef": scaled}
        meta = {"name": name, "annotations": {"team": "shop", **note}}
        api.post(HPAS, {"metadata": meta, "spec": spec})
    auto = {"prune": True, "selfHeal": True}
    owned(cluster, "till", {}, {"automated": auto, "retry": {"limit": 1}})
    was = held('{"automated": {"selfHeal": true}}')
    owned(cluster, "till-held", {"rollback-manager.io/held": was}, {})
    cluster.api.post(
        FLUXES,
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "orders", "annotations": {"team": "shop"}},
            "spec": {
                "interval": "1m",
                "prune": True,
                "path": "./orders",
                "sourceRef": {"kind": "GitRepository", "name": "orders"},
            },
        },
    )
    meta = {"name": "till", "annotations": {"team": "shop"}}
    api.post(MAPS, {"metadata": meta, "data": {"level": "info"}})
    listed = {"shop": "registry.example/shop:v1\nregistry.example/shop:v2"}
    api.patch(f"{MAPS}/rollback-manager-denied", {"data": listed})
    created(api, TEMPLATE, noted(http_route("orders", {"stable": 90, "canary": 10})))
    more(cluster, TEMPLATE, "gateway.networking.k8s.io", "httproutes")
    more(cluster, ARGO, "argoproj.io", "applications")
    more(cluster, IMAGE_ONLY, "argoproj.io", "rollouts", "rollouts/status")
    rollout(cluster)
    until(lambda: refused(ours, HPA, holding(BOUNDS, put("/spec/maxReplicas", 99))), bool)
    until(lambda: refused(ours, HPA, holding(BOUNDS, put("/spec/minReplicas", 3))) == "", bool)
    yield
    for namespace in (TEMPLATE, ARGO, IMAGE_ONLY):
        api.delete(path_of("rolebindings", namespace, "one-more"))
        api.delete(path_of("roles", namespace, "one-more"))
    for path in (HPA, HELD_HPA, APP, f"{APP}-held", FLUXED, MAP, ROUTE, ROLLOUT):
        api.delete(path)
    api.patch(LIST, {"data": None})


def rollout(cluster: Cluster) -> None:
    """A Rollout of Argo whose update is half-way; its controller does not run."""
    labels = {"app": "paid"}
    container = {"name": "main", "image": f"registry.example/shop/paid@sha256:{'2b' * 32}"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "orders", "annotations": {"team": "shop"}},
        "spec": {**spec, "strategy": {"canary": {"steps": [{"setWeight": 20}]}}},
    }
    cluster.api.post(ROLLOUT.rpartition("/")[0], body)
    status = {"phase": "Progressing", "stableRS": "abc", "currentPodHash": "def"}
    cluster.api.patch(f"{ROLLOUT}/status", {"status": status}, "application/merge-patch+json")


def more(cluster: Cluster, namespace: str, group: str, *resources: str) -> None:
    """A right to one more of a kind, as a longer catalogue would ask for it."""
    names = ["orders", "till-held"]
    rule = {"apiGroups": [group], "resources": resources, "resourceNames": names}
    meta, kind = {"name": "one-more"}, "rbac.authorization.k8s.io"
    role = {"metadata": meta, "rules": [{**rule, "verbs": ["get", "patch"]}]}
    cluster.api.post(path_of("roles", namespace), role)
    subject = {"kind": "ServiceAccount", "namespace": ACCOUNT[0], "name": ACCOUNT[1]}
    ref = {"apiGroup": kind, "kind": "Role", **meta}
    bound = {"metadata": meta, "roleRef": ref, "subjects": [subject]}
    cluster.api.post(path_of("rolebindings", namespace), bound)


def noted(body: Object) -> Object:
    """With an annotation of somebody else."""
    body["metadata"]["annotations"] = {"team": "shop"}
    return body


def owned(cluster: Cluster, name: str, notes: Object, policy: Object) -> None:
    """An Application whose sync is under way."""
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "annotations": {"team": "shop", **notes}},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.test/till.git", "path": "."},
            "destination": {"namespace": IMAGE_ONLY, "name": "in-cluster"},
            "syncPolicy": policy,
        },
        "status": {"operationState": RUNS, "sync": {"status": "Synced"}},
    }
    cluster.api.post(APPS, body)


def refused(ours: Installed, path: str, operations: list[Object]) -> str:
    """What the policies say against it; empty where they let it through."""
    told = ours.refused("PATCH", path, operations, params={"dryRun": "All"})
    if told is None:
        return ""
    assert told.status in {403, 422}, told
    return told.body


PHASE = "/status/operationState/phase"
OFF = gone(AUTOMATED)
NEW_MARK = put(f"{NOTES}/rollback-manager.io~1mark", "2.1.op")
APP, FLUXED, MAP = f"{APPS}/till", f"{FLUXES}/orders", f"{MAPS}/till"
LIST = f"{MAPS}/rollback-manager-denied"
ROUTE = f"/apis/gateway.networking.k8s.io/v1/namespaces/{TEMPLATE}/httproutes/orders"
ROLLOUT = f"/apis/argoproj.io/v1alpha1/namespaces/{IMAGE_ONLY}/rollouts/orders"
STATUS = f"{ROLLOUT}/status"
POD = "/spec/template/spec"
PAID = f"registry.example/shop/paid@sha256:{'1a' * 32}"
V1, V2 = "registry.example/shop:v1", "registry.example/shop:v2"
SUSPENDED = {"op": "add", "path": "/spec/suspend", "value": True}
BACK = [{"name": "canary", "port": 80, "weight": 100}]
LET_THROUGH: dict[str, tuple[str, list[Object]]] = {
    "a minimum raised": (HPA, holding(BOUNDS, put("/spec/minReplicas", 4))),
    "both raised": (HPA, holding(BOUNDS, put("/spec/maxReplicas", 8), put("/spec/minReplicas", 8))),
    "a note alone": (HPA, holding(BOUNDS)),
    "bounds back": (HELD_HPA, freeing(put("/spec/minReplicas", 2), put("/spec/maxReplicas", 6))),
    "auto-sync off": (APP, holding(AUTO, OFF)),
    "a sync ended": (APP, holding(AUTO, OFF, put(PHASE, "Terminating"))),
    "auto-sync back": (f"{APPS}/till-held", freeing(put(AUTOMATED, {"selfHeal": True}))),
    "suspended": (FLUXED, holding('{"suspend": false}', SUSPENDED)),
    "a ConfigMap": (MAP, [NEW_MARK, put("/data/level", "debug")]),
    "one more denied": (LIST, [put("/data/shop", f"{V1}\n{V2}\nshop@sha256:0a")]),
    "denied for another": (LIST, [put("/data/till", "till:v2")]),
    "an update aborted": (STATUS, [put("/status/abort", value=True)]),
    "a Rollout promoted": (STATUS, [put("/status/promoteFull", value=True)]),
    "a Rollout's image": (ROLLOUT, [NEW_MARK, put(f"{POD}/containers/0/image", PAID)]),
    "rules of a route": (ROUTE, [NEW_MARK, put("/spec/rules", [{"backendRefs": BACK}])]),
}
DENIED: dict[str, tuple[str, list[Object]]] = {
    # an autoscaler: neither its maximum, its target nor its behaviour
    "another maximum": (HPA, holding(BOUNDS, put("/spec/maxReplicas", 99))),
    "a lower maximum": (HPA, holding(BOUNDS, put("/spec/maxReplicas", 3))),
    "a lower minimum": (HPA, holding(BOUNDS, put("/spec/minReplicas", 1))),
    "another target": (HPA, holding(BOUNDS, put("/spec/scaleTargetRef/name", "other"))),
    "another behaviour": (
        HPA,
        holding(BOUNDS, put("/spec/behavior", {"scaleDown": {"selectPolicy": "Disabled"}})),
    ),
    "a false note": (HPA, holding(BOUNDS.replace("2", "1"), put("/spec/minReplicas", 4))),
    "no note": (HPA, [put(MARK, "2.1.op"), put("/spec/minReplicas", 4)]),
    "no mark": (HPA, [put(HELD, held(BOUNDS)), put("/spec/minReplicas", 4)]),
    "other bounds back": (HELD_HPA, freeing(put("/spec/minReplicas", 1))),
    "another note over ours": (HELD_HPA, holding(BOUNDS.replace("2", "1"))),
    "somebody else's note": (HPA, holding(BOUNDS, put(f"{NOTES}/team", "other"))),
    # an Application: neither what it deploys, nor where, nor a sync of our own
    "another source": (APP, holding(AUTO, OFF, put("/spec/source/repoURL", "https://evil.test"))),
    "another revision": (APP, holding(AUTO, OFF, put("/spec/source/targetRevision", "v0"))),
    "another place": (APP, holding(AUTO, OFF, put("/spec/destination/namespace", "kube-system"))),
    "another project": (APP, holding(AUTO, OFF, put("/spec/project", "all"))),
    "other sync options": (APP, holding(AUTO, OFF, put("/spec/syncPolicy/syncOptions", ["a=b"]))),
    "no more retries": (APP, holding(AUTO, OFF, gone("/spec/syncPolicy/retry"))),
    "other flags": (APP, holding(AUTO, put(AUTOMATED, {"prune": True, "allowEmpty": True}))),
    "a sync": (APP, holding(AUTO, OFF, put("/operation", {"sync": {"revision": "v0"}}))),
    "a false status": (APP, holding(AUTO, OFF, put("/status/sync/status", "OutOfSync"))),
    "a false phase": (APP, holding(AUTO, OFF, put(PHASE, "Succeeded"))),
    "a refresh": (APP, holding(AUTO, OFF, put(f"{NOTES}/argocd.argoproj.io~1refresh", "hard"))),
    "more auto-sync back": (
        f"{APPS}/till-held",
        freeing(put(AUTOMATED, {"selfHeal": True, "prune": True})),
    ),
    # Flux: the same
    "another path": (FLUXED, holding('{"suspend": false}', put("/spec/path", "./other"))),
    "no pruning": (FLUXED, holding('{"suspend": false}', put("/spec/prune", value=False))),
    "suspended without a note": (FLUXED, [put(MARK, "2.1.op"), SUSPENDED]),
    # ConfigMaps
    "a ConfigMap without a mark": (MAP, [put("/data/level", "debug")]),
    "a ConfigMap that cannot change": (MAP, [NEW_MARK, put("/immutable", value=True)]),
    "a label of a ConfigMap": (MAP, [NEW_MARK, put("/metadata/labels", {"any": "yes"})]),
    # the deny list
    "no line of an image": (LIST, [put("/data/shop", f"{V1}\n{V2}\nall of them, please")]),
    "an expression": (LIST, [put("/data/till", ".*")]),
    "a line less": (LIST, [put("/data/shop", V1)]),
    "a service less": (LIST, [gone("/data/shop")]),
    "too many": (LIST, [put("/data/till", "\n".join(f"till:v{n}" for n in range(41)))]),
    "bytes": (LIST, [put("/binaryData", {"till": "AAAA"})]),
    "a list that cannot change": (LIST, [put("/immutable", value=True)]),
    # a Rollout: its steps and what it says of itself stay
    "no steps": (ROLLOUT, [NEW_MARK, gone("/spec/strategy/canary/steps")]),
    "an image without a mark": (ROLLOUT, [put(f"{POD}/containers/0/image", PAID)]),
    "an image by its tag": (ROLLOUT, [NEW_MARK, put(f"{POD}/containers/0/image", V1)]),
    "another account": (ROLLOUT, [NEW_MARK, put(f"{POD}/serviceAccountName", "admin")]),
    "another stable version": (STATUS, [put("/status/stableRS", "def")]),
    "a false end": (STATUS, [put("/status/phase", "Healthy")]),
    # a route, where whole rules may return
    "a Service that it never had": (
        ROUTE,
        [NEW_MARK, put("/spec/rules/0/backendRefs/0/name", "other")],
    ),
    "another namespace": (
        ROUTE,
        [NEW_MARK, put("/spec/rules/0/backendRefs/0/namespace", "kube-system")],
    ),
    "another host": (ROUTE, [NEW_MARK, put("/spec/hostnames", ["any.test"])]),
}


@pytest.mark.parametrize("deed", LET_THROUGH)
def test_what_a_rollback_writes_is_let_through(ours: Installed, deed: str) -> None:
    """In the product's own words."""
    path, operations = LET_THROUGH[deed]
    assert refused(ours, path, operations) == ""


@pytest.mark.parametrize("deed", DENIED)
def test_nothing_else_of_it_changes(ours: Installed, deed: str) -> None:
    """Whoever has our token deploys nothing by the hands of others."""
    path, operations = DENIED[deed]
    assert "ValidatingAdmissionPolicy 'rollback-manager-" in refused(ours, path, operations)


@pytest.mark.parametrize(
    "path", [f"{MAPS}/other", f"{APPS}/other", f"{FLUXES}/other", f"{HPAS}/any/status"]
)
def test_what_the_catalogue_does_not_name_is_refused_before(ours: Installed, path: str) -> None:
    """By the Role itself."""
    told = refused(ours, path, [NEW_MARK])
    assert "cannot patch resource" in told
