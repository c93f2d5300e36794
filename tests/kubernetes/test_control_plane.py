"""The control plane and its stand-in machines: what other tests rest on."""

import json
import time
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.kubernetes import binaries, crds
from demo.kubernetes.api import MERGE, Object, Refused, connected
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import VERSION_LABEL, Crash, Never, Ready, is_ready
from tests.kubernetes import objects as o
from tests.kubernetes.cluster import Cluster

OTHER = "sha256:" + "ab" * 32


class Shop:
    """A Deployment of two pods in a namespace of its own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.path = o.path_of("deployments", namespace, "shop")
        o.created(cluster.api, namespace, o.deployment("shop", "v1"))
        o.until(self.read, o.rolled_out)

    def read(self) -> Object:
        return self.cluster.api.get(self.path)

    def release(self, version: str) -> None:
        spec = {"spec": {"template": o.pod_template("shop", version)}}
        self.cluster.api.patch(self.path, spec)

    def pods(self) -> list[Object]:
        return o.pods_of(self.cluster.api, self.namespace, "shop")

    def versions(self) -> list[str]:
        return sorted(pod["metadata"]["labels"][VERSION_LABEL] for pod in self.pods())


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Shop:
    return Shop(cluster, namespace)


def test_a_deployment_rolls_out_and_its_old_pods_go(shop: Shop) -> None:
    shop.release("v2")
    o.until(shop.read, o.rolled_out)
    o.until(shop.versions, lambda found: found == ["v2", "v2"])
    assert len({pod["status"]["podIP"] for pod in shop.pods()}) == 2


def test_a_write_that_ends_before_its_starter_goes_on_holds_up_no_pod(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a busy machine: whoever hands a write on sleeps until it is over."""
    with Kubelet(cluster.api, nodes=1, name="slow", others=True) as slow:
        at_once = slow._writers.submit

        def then_sleep(*words: Any) -> Any:
            future = at_once(*words)
            time.sleep(0.1)
            return future

        monkeypatch.setattr(slow._writers, "submit", then_sleep)
        pod = o.pod_template("shop", "v1")
        pod["metadata"]["name"] = "shop"
        pod["spec"] |= {"schedulerName": "slow", "tolerations": [{"operator": "Exists"}]}
        cluster.api.post(f"/api/v1/namespaces/{namespace}/pods", pod)
        o.until(lambda: cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/shop"), is_ready, 10)


def test_an_image_that_cannot_be_had_exceeds_the_deadline(shop: Shop, kubelet: Kubelet) -> None:
    kubelet.behaviour["v2"] = Never()
    shop.release("v2")
    found = o.until(shop.read, lambda one: o.condition(one, "Progressing")[0] == "False")
    assert o.condition(found, "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert o.condition(found, "Available")[0] == "True"
    del kubelet.behaviour["v2"]
    o.until(shop.read, o.rolled_out)


def test_a_version_that_begins_to_crash_takes_its_pods_down(shop: Shop, kubelet: Kubelet) -> None:
    kubelet.behaviour["v1"] = Crash(restarts=7)
    o.until(shop.read, lambda one: not one["status"].get("readyReplicas"))
    told = o.until(shop.pods, lambda found: not any(map(is_ready, found)))
    (container,) = told[0]["status"]["containerStatuses"]
    assert container["restartCount"] == 7
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"


def test_a_version_may_serve_before_it_crashes(shop: Shop, kubelet: Kubelet) -> None:
    kubelet.behaviour["v2"] = Crash(after_s=0.8)
    shop.release("v2")
    o.until(shop.read, o.rolled_out)
    o.until(shop.read, lambda one: not one["status"].get("readyReplicas"))


def test_a_broken_watch_is_taken_up_again(shop: Shop, kubelet: Kubelet) -> None:
    assert kubelet._watch is not None
    kubelet._watch.end()
    shop.release("v2")
    o.until(shop.read, o.rolled_out)


def test_a_late_version_is_ready_late(shop: Shop, kubelet: Kubelet) -> None:
    kubelet.behaviour["v2"] = Ready(after_s=0.6)
    shop.release("v2")
    new = o.until(shop.pods, lambda found: [pod for pod in found if pod["status"].get("podIP")][2:])
    assert sum(map(is_ready, new)) == 2
    o.until(shop.read, o.rolled_out)


def test_a_version_reports_the_digest_that_it_was_told_to(shop: Shop, kubelet: Kubelet) -> None:
    kubelet.behaviour["v2"] = Ready(digest=OTHER)
    before = shop.pods()[0]["status"]["containerStatuses"][0]["imageID"]
    assert before.startswith("registry.test/shop:v1@sha256:")
    shop.release("v2")
    o.until(shop.read, o.rolled_out)
    o.until(shop.versions, lambda found: found == ["v2", "v2"])
    ids = {pod["status"]["containerStatuses"][0]["imageID"] for pod in shop.pods()}
    assert ids == {f"registry.test/shop:v2@{OTHER}"}


def test_a_deleted_pod_stays_for_its_grace(shop: Shop, kubelet: Kubelet) -> None:
    kubelet.grace_s = 1.0
    first = shop.pods()[0]["metadata"]["name"]
    shop.cluster.api.delete(o.path_of("pods", shop.namespace, first))
    o.until(shop.pods, lambda found: len(found) == 3)
    o.until(shop.pods, lambda found: len(found) == 2)


def test_a_service_gets_slices_with_what_is_ready(shop: Shop, kubelet: Kubelet) -> None:
    o.created(shop.cluster.api, shop.namespace, o.service("shop", "v1"))
    slices = partial(shop.cluster.api.get, o.path_of("endpointslices", shop.namespace))
    o.until(slices, lambda found: len(_ready(found)) == 2)
    kubelet.behaviour["v1"] = Never()
    o.until(slices, lambda found: not _ready(found))


def _ready(slices: Object) -> list[str]:
    return [
        address
        for one in slices["items"]
        for endpoint in one["endpoints"] or []
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    ]


def test_a_stateful_set_replaces_its_pods_by_name(cluster: Cluster, namespace: str) -> None:
    o.created(cluster.api, namespace, o.stateful_set("db", "v1"))
    path = o.path_of("statefulsets", namespace, "db")
    read = partial(cluster.api.get, path)
    o.until(read, lambda one: one["status"].get("readyReplicas") == 2)
    cluster.api.patch(path, {"spec": {"template": o.pod_template("db", "v2")}})
    o.until(read, lambda one: one["status"].get("updatedReplicas") == 2)
    names = {pod["metadata"]["name"] for pod in o.pods_of(cluster.api, namespace, "db")}
    assert names == {"db-0", "db-1"}


def test_a_daemon_set_has_a_pod_on_each_machine(
    cluster: Cluster, namespace: str, kubelet: Kubelet
) -> None:
    o.created(cluster.api, namespace, o.daemon_set("agent", "v1"))
    read = partial(cluster.api.get, o.path_of("daemonsets", namespace, "agent"))
    o.until(read, lambda one: one["status"].get("numberReady") == len(kubelet.nodes))
    found = {pod["spec"]["nodeName"] for pod in o.pods_of(cluster.api, namespace, "agent")}
    assert found == set(kubelet.nodes)


def test_autoscalers_and_disruption_budgets_are_taken(shop: Shop) -> None:
    api, namespace = shop.cluster.api, shop.namespace
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    scaler = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}
    meta = {"metadata": {"name": "shop"}}
    api.post(o.path_of("horizontalpodautoscalers", namespace), meta | {"spec": scaler})
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "shop"}}}
    path = o.path_of("poddisruptionbudgets", namespace)
    api.post(path, meta | {"spec": budget})
    o.until(partial(api.get, f"{path}/shop"), lambda one: one["status"].get("currentHealthy") == 2)
    pod = {"metadata": {"name": shop.pods()[0]["metadata"]["name"]}}
    eviction = f"{o.path_of('pods', namespace, pod['metadata']['name'])}/eviction"
    with pytest.raises(Refused) as refused:
        api.post(eviction, {"apiVersion": "policy/v1", "kind": "Eviction"} | pod)
    assert refused.value.status == 429


def test_a_kubectl_of_its_own_version_comes_with_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert cluster.own.programs.commands[binaries.KUBECTL]
    told = json.loads(cluster.kubectl("version", "-o", "json"))
    versions = {told[end]["gitVersion"] for end in ("clientVersion", "serverVersion")}
    assert versions == {f"v{binaries.VERSION}"}


def test_the_ledger_has_who_wrote_what(shop: Shop) -> None:
    ledger = shop.cluster.ledger
    mark = len(ledger)
    shop.cluster.kubectl("-n", shop.namespace, "scale", "deployment/shop", "--replicas=3")
    shop.cluster.api.patch(shop.path, {"metadata": {"annotations": {"a": "b"}}}, MERGE)
    shop.cluster.api.patch(f"{shop.path}?dryRun=All", {}, MERGE)
    calls = [one for one in ledger.calls(shop.namespace, mark) if one.user == "admin"]
    written = [(one.verb, one.resource, one.name) for one in calls if one.changed]
    assert written == [
        ("patch", "apps/deployments/scale", "shop"),
        ("patch", "apps/deployments", "shop"),
    ]
    assert calls[0].agent.startswith("kubectl/")
    assert [one.body for one in calls if one.changed][1] == {
        "metadata": {"annotations": {"a": "b"}}
    }


def test_the_ledger_keeps_no_secret(cluster: Cluster, namespace: str) -> None:
    hidden = b64encode(b"hidden-from-all").decode()
    secret = {"metadata": {"name": "key"}, "data": {"key": hidden}}
    cluster.api.post(o.path_of("secrets", namespace), secret)
    assert [one.resource for one in cluster.ledger.writes(namespace)].count("secrets") == 1
    assert hidden not in cluster.ledger.path.read_text()


def test_a_service_account_may_do_what_its_role_says(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    token = cluster.account_token(namespace, "robot")
    kubeconfig = cluster.kubeconfig_with(token, tmp_path / "robot")
    with connected(kubeconfig) as robot:
        with pytest.raises(Refused, match="cannot list resource"):
            robot.get(o.path_of("deployments", namespace))
        rule = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}
        meta = {"metadata": {"name": "robot"}}
        cluster.api.post(o.path_of("roles", namespace), meta | {"rules": [rule]})
        who = {"kind": "ServiceAccount", "name": "robot", "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"}
        binding = meta | {"subjects": [who], "roleRef": role}
        cluster.api.post(o.path_of("rolebindings", namespace), binding)

        def allowed() -> bool:
            try:
                return bool(robot.get(o.path_of("deployments", namespace)))
            except Refused:
                return False

        o.until(allowed, bool)


def test_an_admission_policy_denies(shop: Shop) -> None:
    api = shop.cluster.api
    base = "/apis/admissionregistration.k8s.io/v1"
    name = f"no-v9-{shop.namespace}"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"]}
    expression = f"object.spec.template.metadata.labels['{VERSION_LABEL}'] != 'v9'"
    spec = {
        "matchConstraints": {"resourceRules": [rule | {"resources": ["deployments"]}]},
        "validations": [{"expression": expression, "message": "v9 is bad"}],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace}}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here},
    }
    for kind, body in (("policies", spec), ("policybindings", binding)):
        api.post(f"{base}/validatingadmission{kind}", {"metadata": {"name": name}, "spec": body})

    def denied() -> str:
        try:
            spec = {"spec": {"template": o.pod_template("shop", "v9")}}
            api.patch(f"{shop.path}?dryRun=All", spec)
        except Refused as refused:
            return str(refused)
        return ""

    assert "v9 is bad" in o.until(denied, bool)


def test_routes_of_the_gateway_api_are_taken(cluster: Cluster, namespace: str) -> None:
    crds.install(cluster.api, crds.GATEWAY_API)
    o.created(cluster.api, namespace, o.http_route("shop", {"shop-v1": 90, "shop-v2": 10}))
    found = cluster.api.get(o.path_of("httproutes", namespace, "shop"))
    assert [one["weight"] for one in found["spec"]["rules"][0]["backendRefs"]] == [90, 10]


@pytest.mark.long
def test_the_kinds_of_other_deployers_are_served(cluster: Cluster) -> None:
    names = crds.install(cluster.api, *crds.ALL)
    assert {
        "rollouts.argoproj.io",
        "applications.argoproj.io",
        "applicationsets.argoproj.io",
        "kustomizations.kustomize.toolkit.fluxcd.io",
        "helmreleases.helm.toolkit.fluxcd.io",
    } < set(names)
