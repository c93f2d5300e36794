"""What stands in the way of a plan on the real API is said before approval, with its remedy."""

import shlex
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from demo.kubernetes import crds
from demo.kubernetes.api import Object
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import Never
from rollback_manager.gates import GateAnswer
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    http_route,
    path_of,
    pod_template,
    pods_of,
    rolled_out,
    service,
    stateful_set,
    until,
)
from tests.kubernetes.shop import Service, mark, placed
from tests.kubernetes.shop import service as opened

MERGE = "application/merge-patch+json"


@pytest.fixture
def shop(cluster: Cluster, namespace: str, kubelet: Kubelet) -> str:
    """v1, rolled out in place."""
    created(cluster.api, namespace, deployment("shop", "v1", 4))
    created(cluster.api, namespace, service("shop"))
    until(lambda: cluster.api.get(path_of("deployments", namespace, "shop")), rolled_out)
    return namespace


def bad_release(cluster: Cluster, own: Service, namespace: str) -> None:
    own.record("v1")
    path = path_of("deployments", namespace, "shop")
    cluster.api.patch(path, {"spec": {"template": pod_template("shop", "v2")}}, MERGE)
    until(lambda: cluster.api.get(path), rolled_out)


def patched(cluster: Cluster, namespace: str, spec: Object) -> None:
    cluster.api.patch(path_of("deployments", namespace, "shop"), {"spec": spec}, MERGE)


def gates(own: Service) -> dict[str, tuple[GateAnswer, str]]:
    """Of a plan, by name."""
    return {one.gate: (one.answer, one.because) for one in own.plan().gates}


def carried_out(cluster: Cluster, words: str) -> None:
    """The remedy that a refusal ends with, typed as it stands there."""
    command = words[words.index("kubectl ") :]
    arguments = shlex.split(command)
    cluster.kubectl(*arguments[arguments.index("-n") :])


Change = Callable[[Cluster, str], object]
IN_THE_WAY: dict[str, tuple[Change, str]] = {
    "paused": (
        lambda cluster, ns: cluster.kubectl("-n", ns, "rollout", "pause", "deployment/shop"),
        "deployment/shop is paused",
    ),
    "recreate": (
        lambda cluster, ns: patched(
            cluster, ns, {"strategy": {"type": "Recreate", "rollingUpdate": None}}
        ),
        "strategy Recreate: it would stop all 4 pods first",
    ),
    "unavailable": (
        lambda cluster, ns: patched(
            cluster, ns, {"strategy": {"rollingUpdate": {"maxUnavailable": 3, "maxSurge": 0}}}
        ),
        "may be short of 3 of 4 pods",
    ),
}


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_a_deployment_that_would_not_go_back_is_named_with_its_remedy(
    cluster: Cluster, shop: str, tmp_path: Path, name: str
) -> None:
    change, words = IN_THE_WAY[name]
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        change(cluster, shop)
        own.target = own.make()
        planned = own.planned()
        assert planned.plan is None
        assert "gate controllers failed" in planned.blocked_because
        assert words in planned.blocked_because
        remedy = planned.blocked_because.partition("gate controllers failed")[2]
        carried_out(cluster, remedy.partition("; gate ")[0])
        own.target = own.make()
        assert gates(own)["controllers"][0] is GateAnswer.PASSED


def test_a_service_that_is_well_set_up_passes_all(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        mark = len(cluster.ledger) if cluster.own else 0
        found = gates(own)
        writes = cluster.ledger.writes(shop, since=mark) if cluster.own else []
    names = ["namespace", "controllers", "room", "disruption_budgets", "routing", "preflight"]
    assert [found[name][0] for name in names] == [GateAnswer.PASSED] * len(names)
    assert found["preflight"][1] == "1 writes tried by a dry run"
    assert "helm_release" not in found
    by_us = [call for call in writes if "rollback" in str(call.body) or call.verb == "patch"]
    assert all(call.dry_run for call in by_us if "kube-controller" not in call.agent)


def test_a_quota_without_room_is_told(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "4"}}}
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        path = path_of("resourcequotas", shop)
        cluster.api.post(path, quota)
        until(lambda: cluster.api.get(f"{path}/few"), lambda q: q.get("status", {}).get("used"))
        patched(cluster, shop, {"strategy": {"rollingUpdate": {"maxUnavailable": 0}}})
        own.target = own.make()
        planned = own.planned()
    assert planned.plan is None
    assert "few has 0 of pods left, 1 pods need 1" in planned.blocked_because
    assert "edit resourcequota few" in planned.blocked_because


def test_a_denying_policy_is_heard_before_approval(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    """By the dry run of the very write that the plan will make."""
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"no-v1-{shop}"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE"],
                        "resources": ["deployments"],
                    }
                ]
            },
            "validations": [
                {
                    "expression": "!object.spec.template.spec.containers.exists("
                    "c, c.image.endsWith(':v1'))",
                    "message": "v1 is not allowed any more",
                }
            ],
        },
    }
    binding = {
        "metadata": {"name": f"no-v1-{shop}"},
        "spec": {
            "policyName": f"no-v1-{shop}",
            "validationActions": ["Deny"],
            "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop}}
            },
        },
    }
    root = "/apis/admissionregistration.k8s.io/v1"
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        cluster.api.post(f"{root}/validatingadmissionpolicies", policy)
        cluster.api.post(f"{root}/validatingadmissionpolicybindings", binding)
        try:
            planned = until(own.planned, lambda found: found.plan is None)
        finally:
            cluster.api.delete(f"{root}/validatingadmissionpolicybindings/no-v1-{shop}")
            cluster.api.delete(f"{root}/validatingadmissionpolicies/no-v1-{shop}")
    assert "gate preflight failed" in planned.blocked_because
    assert "v1 is not allowed any more" in planned.blocked_because


def test_a_missing_right_is_told_before_approval(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    token = cluster.account_token(shop, "reader")
    rules = [
        {
            "apiGroups": ["", "apps", "discovery.k8s.io"],
            "resources": ["*"],
            "verbs": ["get", "list", "watch"],
        }
    ]
    cluster.api.post(path_of("roles", shop), {"metadata": {"name": "reader"}, "rules": rules})
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": shop}],
    }
    cluster.api.post(path_of("rolebindings", shop), binding)
    mine = cluster.kubeconfig_with(token, tmp_path / "reader")
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
    with opened(placed(cluster, shop, "shop", kubeconfig=mine), tmp_path) as own:
        planned = own.planned()
    assert "gate preflight failed" in planned.blocked_because
    assert "403" in planned.blocked_because
    assert 'cannot patch resource "deployments"' in planned.blocked_because


HELM = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "x"}


def test_a_helm_release_in_the_middle_of_an_upgrade_is_told(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    deployed = path_of("deployments", shop, "shop")
    cluster.api.patch(deployed, {"metadata": {"annotations": HELM}}, MERGE)
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        for number, status in ((1, "superseded"), (2, "deployed"), (3, "pending-upgrade")):
            labels = {"owner": "helm", "name": "shop", "status": status, "version": str(number)}
            name = f"sh.helm.release.v1.shop.v{number}"
            body = {"metadata": {"name": name, "labels": labels}, "stringData": {"release": "x"}}
            cluster.api.post(path_of("secrets", shop), body)
        planned = own.planned()
        assert "Helm release shop revision 3 is pending-upgrade" in planned.blocked_because
        assert f"helm -n {shop} rollback shop 2" in planned.blocked_because
        secret = path_of("secrets", shop, "sh.helm.release.v1.shop.v3")
        cluster.api.patch(secret, {"metadata": {"labels": {"status": "failed"}}}, MERGE)
        assert gates(own)["helm_release"][0] is GateAnswer.PASSED


def test_an_immutable_config_map_that_differs_is_told(
    cluster: Cluster, namespace: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    maps = path_of("configmaps", namespace)
    cluster.api.post(maps, {"metadata": {"name": "fixed"}, "data": {"a": "1"}, "immutable": True})
    template = pod_template("shop", "v1")
    template["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "fixed"}}]
    created(cluster.api, namespace, deployment("shop", "v1", 1, template=template))
    created(cluster.api, namespace, service("shop"))
    until(lambda: cluster.api.get(path_of("deployments", namespace, "shop")), rolled_out)
    with opened(placed(cluster, namespace, "shop"), tmp_path) as own:
        bad_release(cluster, own, namespace)
        cluster.api.delete(f"{maps}/fixed")
        other = {"metadata": {"name": "fixed"}, "data": {"a": "2"}, "immutable": True}
        cluster.api.post(maps, other)
        planned = own.planned()
        assert "gate configuration failed" in planned.blocked_because
        remedy = planned.blocked_because.partition("immutable: ")[2].partition(", then")[0]
        carried_out(cluster, remedy)
        plan = own.plan()
    assert plan.services[0].phases[0].name == "restore the configuration"


def version(pod: Object) -> str:
    return str(pod["metadata"]["labels"]["app.kubernetes.io/version"])


def stuck(cluster: Cluster, namespace: str, kubelet: Kubelet, own: Service) -> None:
    own.record("v1")
    kubelet.behaviour["v2"] = Never()
    path = path_of("statefulsets", namespace, "shop")
    cluster.api.patch(path, {"spec": {"template": pod_template("shop", "v2")}}, MERGE)
    until(
        lambda: pods_of(cluster.api, namespace, "shop"),
        lambda pods: "v2" in map(version, pods),
    )


@pytest.fixture
def ordered(cluster: Cluster, namespace: str, kubelet: Kubelet) -> str:
    created(cluster.api, namespace, stateful_set("shop", "v1", 3))
    created(cluster.api, namespace, service("shop"))
    path = path_of("statefulsets", namespace, "shop")
    until(lambda: cluster.api.get(path), lambda s: s["status"].get("availableReplicas", 0) == 3)
    return namespace


def test_a_broken_pod_for_which_a_stateful_set_waits_is_named(
    cluster: Cluster, ordered: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    catalogue = placed(cluster, ordered, "shop", controller="statefulset")
    with opened(catalogue, tmp_path) as own:
        stuck(cluster, ordered, kubelet, own)
        own.target = own.make()
        answer, words = gates(own)["controllers"]
        assert answer is GateAnswer.INCONCLUSIVE, "the remedy works only once the template is back"
        assert "waits for shop-2, which never got ready" in words
        own.target.workloads.scale("v1", 3, mark(0))
        time.sleep(3)
        path = path_of("pods", ordered, "shop-2")
        assert version(cluster.api.get(path)) == "v2", "it does wait"
        carried_out(cluster, words.partition("; once")[2])
        until(lambda: own.target.workloads.versions()["v1"], lambda state: state.ready == 3)


def test_a_stateful_set_that_replaces_nothing_by_itself_is_told(
    cluster: Cluster, ordered: str, tmp_path: Path
) -> None:
    path = path_of("statefulsets", ordered, "shop")
    catalogue = placed(cluster, ordered, "shop", controller="statefulset")
    with opened(catalogue, tmp_path) as own:
        own.record("v1")
        cluster.api.patch(path, {"spec": {"template": pod_template("shop", "v2")}}, MERGE)
        until(
            lambda: pods_of(cluster.api, ordered, "shop"),
            lambda pods: [version(pod) for pod in pods] == ["v2"] * 3,
        )
        body = {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
        cluster.api.patch(path, body, MERGE)
        own.target = own.make()
        planned = own.planned()
        assert "strategy OnDelete" in planned.blocked_because
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        cluster.api.patch(path, {"spec": {"updateStrategy": rolling}}, MERGE)
        own.target = own.make()
        planned = own.planned()
    assert "has partition 2: shop-0, shop-1 would stay what they are" in planned.blocked_because


def test_side_by_side_a_budget_and_a_missing_service_are_told(
    cluster: Cluster, namespace: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    crds.install(cluster.api, crds.GATEWAY_API)
    for version in ("v1", "v2"):
        created(cluster.api, namespace, deployment(f"shop-{version}", version, 2, app="shop"))
        created(cluster.api, namespace, service(f"shop-{version}", version, app="shop"))
        path = path_of("deployments", namespace, f"shop-{version}")
        until(partial(cluster.api.get, path), rolled_out)
    created(cluster.api, namespace, http_route("shop", {"shop-v1": 0, "shop-v2": 99, "gone": 1}))
    budget = {
        "metadata": {"name": "all"},
        "spec": {"minAvailable": 4, "selector": {"matchLabels": {"app": "shop"}}},
    }
    cluster.api.post(path_of("poddisruptionbudgets", namespace), budget)
    catalogue = placed(cluster, namespace, "shop-v1", "shop-v2", route="shop")
    with opened(catalogue, tmp_path) as own:
        own.record("v1")
        because = own.planned().blocked_because
        assert "all keeps 4 pods; 2 remain when the rest is removed" in because
        assert "Service gone, with weight 1, is not there" in because
        remedy = because.partition("is removed; ")[2].partition("; gate")[0]
        carried_out(cluster, remedy)
        created(cluster.api, namespace, service("gone"))
        found = gates(own)
    assert found["disruption_budgets"][0] is GateAnswer.PASSED
    assert found["routing"][0] is GateAnswer.PASSED
    assert found["preflight"] == (GateAnswer.PASSED, "3 writes tried by a dry run")


def test_a_namespace_that_is_being_deleted_is_told(
    cluster: Cluster, namespace: str, tmp_path: Path, kubelet: Kubelet
) -> None:
    finalizers = {"metadata": {"finalizers": ["rollback-manager.io/test"]}}
    created(cluster.api, namespace, deployment("shop", "v1", 1))
    created(cluster.api, namespace, service("shop"))
    path = path_of("deployments", namespace, "shop")
    until(lambda: cluster.api.get(path), rolled_out)
    with opened(placed(cluster, namespace, "shop"), tmp_path) as own:
        bad_release(cluster, own, namespace)
        for kind in ("deployments", "services"):
            cluster.api.patch(path_of(kind, namespace, "shop"), finalizers, MERGE)
        for pod in pods_of(cluster.api, namespace, "shop"):
            name = pod["metadata"]["name"]
            cluster.api.patch(path_of("pods", namespace, name), finalizers, MERGE)
        cluster.api.delete(f"/api/v1/namespaces/{namespace}")
        planned = own.planned()
        none = {"metadata": {"finalizers": None}}
        for kind in ("deployments", "services"):
            cluster.api.patch(path_of(kind, namespace, "shop"), none, MERGE)
        for pod in pods_of(cluster.api, namespace, "shop"):
            name = pod["metadata"]["name"]
            cluster.api.patch(path_of("pods", namespace, name), none, MERGE)
    assert f"{namespace} is being deleted" in planned.blocked_because
