"""The shipped Role and policies: everything else is refused, and the product works with them."""

from typing import Any

import pytest

from demo.kubernetes.api import Object
from tests.kubernetes.installed import ACCOUNT, IMAGE_ONLY, TEMPLATE, Installed
from tests.kubernetes.objects import deployment, service

SHOP, ORDERS, OWN = (f"namespaces/{name}" for name in (IMAGE_ONLY, TEMPLATE, ACCOUNT[0]))
CORE, APPS = "/api/v1", "/apis/apps/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
NOTHING: Object = {"metadata": {"annotations": {"tried": "yes"}}}
POD: Object = {
    "metadata": {"name": "mine"},
    "spec": {"containers": [{"name": "main", "image": "registry.test/mine:1"}]},
}


def named(kind: str) -> Object:
    """An object that could be created if somebody were allowed to."""
    return {"kind": kind, "metadata": {"name": "mine"}}


def binding(kind: str, role: str) -> Object:
    """Our account bound to a role that it does not have."""
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT[1], "namespace": ACCOUNT[0]}
    return {"kind": kind, "metadata": {"name": "mine"}, "roleRef": ref, "subjects": [subject]}


FORBIDDEN: dict[str, tuple[str, str, Any]] = {
    # Secrets: never read, neither those of services nor our own
    "get a Secret": ("GET", f"{CORE}/{SHOP}/secrets/database", None),
    "list Secrets": ("GET", f"{CORE}/{SHOP}/secrets", None),
    "watch Secrets": ("GET", f"{CORE}/{SHOP}/secrets?watch=1&timeoutSeconds=1", None),
    "list all Secrets": ("GET", f"{CORE}/secrets", None),
    "get our own Secret": ("GET", f"{CORE}/{OWN}/secrets/rollback-manager-records", None),
    # Pods: looked at, never made, entered or ended
    "create a pod": ("POST", f"{CORE}/{SHOP}/pods", POD),
    "create a pod beside us": ("POST", f"{CORE}/{OWN}/pods", POD),
    "patch a pod": ("PATCH", f"{CORE}/{SHOP}/pods/any", NOTHING),
    "delete a pod": ("DELETE", f"{CORE}/{SHOP}/pods/any", None),
    "delete all pods": ("DELETE", f"{CORE}/{SHOP}/pods", None),
    "evict a pod": ("POST", f"{CORE}/{SHOP}/pods/any/eviction", named("Eviction")),
    "exec into a pod": ("POST", f"{CORE}/{SHOP}/pods/any/exec?command=id", None),
    "exec by GET": ("GET", f"{CORE}/{SHOP}/pods/any/exec?command=id", None),
    "attach to a pod": ("POST", f"{CORE}/{SHOP}/pods/any/attach", None),
    "forward a port": ("POST", f"{CORE}/{SHOP}/pods/any/portforward", None),
    "proxy to a pod": ("GET", f"{CORE}/{SHOP}/pods/any/proxy/", None),
    "read a pod's log": ("GET", f"{CORE}/{SHOP}/pods/any/log", None),
    "debug a pod": ("PATCH", f"{CORE}/{SHOP}/pods/any/ephemeralcontainers", NOTHING),
    "bind a pod": ("POST", f"{CORE}/{SHOP}/pods/any/binding", named("Binding")),
    "list pods elsewhere": ("GET", f"{CORE}/namespaces/kube-system/pods", None),
    "list all pods": ("GET", f"{CORE}/pods", None),
    # Machines
    "get a node": ("GET", f"{CORE}/nodes/any", None),
    "proxy to a node": ("GET", f"{CORE}/nodes/any/proxy/pods", None),
    "patch a node": ("PATCH", f"{CORE}/nodes/any", NOTHING),
    "create a volume": ("POST", f"{CORE}/persistentvolumes", named("PersistentVolume")),
    # Becoming somebody else
    "a token of our own account": (
        "POST",
        f"{CORE}/{OWN}/serviceaccounts/{ACCOUNT[1]}/token",
        {"spec": {}},
    ),
    "a token of another account": (
        "POST",
        f"{CORE}/{SHOP}/serviceaccounts/default/token",
        {"spec": {}},
    ),
    "create a ServiceAccount": ("POST", f"{CORE}/{SHOP}/serviceaccounts", named("ServiceAccount")),
    "patch our own Role": ("PATCH", f"{RBAC}/{SHOP}/roles/rollback-manager", NOTHING),
    "create a Role": ("POST", f"{RBAC}/{SHOP}/roles", named("Role")),
    "bind ourselves": (
        "POST",
        f"{RBAC}/{SHOP}/rolebindings",
        binding("RoleBinding", "cluster-admin"),
    ),
    "bind ourselves everywhere": (
        "POST",
        f"{RBAC}/clusterrolebindings",
        binding("ClusterRoleBinding", "cluster-admin"),
    ),
    "patch our ClusterRole": ("PATCH", f"{RBAC}/clusterroles/rollback-manager", NOTHING),
    "ask for a certificate": (
        "POST",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        named("CertificateSigningRequest"),
    ),
    "approve a certificate": (
        "PATCH",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests/any/approval",
        NOTHING,
    ),
    # What would take our bounds away
    "create a mutating webhook": (
        "POST",
        f"{ADMISSION}/mutatingwebhookconfigurations",
        named("MutatingWebhookConfiguration"),
    ),
    "create a validating webhook": (
        "POST",
        f"{ADMISSION}/validatingwebhookconfigurations",
        named("ValidatingWebhookConfiguration"),
    ),
    "patch a webhook": ("PATCH", f"{ADMISSION}/validatingwebhookconfigurations/any", NOTHING),
    "delete our policy": (
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicies/rollback-manager-writes",
        None,
    ),
    "patch our policy": (
        "PATCH",
        f"{ADMISSION}/validatingadmissionpolicies/rollback-manager-image-only",
        NOTHING,
    ),
    "delete its binding": (
        "DELETE",
        f"{ADMISSION}/validatingadmissionpolicybindings/rollback-manager-image-only",
        None,
    ),
    "patch the mode of a namespace": (
        "PATCH",
        f"{CORE}/{SHOP}",
        {"metadata": {"labels": {"rollback-manager.io/mode": "template"}}},
    ),
    "patch kube-system": ("PATCH", f"{CORE}/namespaces/kube-system", NOTHING),
    "delete a namespace": ("DELETE", f"{CORE}/{SHOP}", None),
    "list namespaces": ("GET", f"{CORE}/namespaces", None),
    "create a CRD": (
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        named("CustomResourceDefinition"),
    ),
    # Workloads: patched by name, nothing else
    "create a Deployment": ("POST", f"{APPS}/{SHOP}/deployments", deployment("mine", "v1")),
    "replace a Deployment": ("PUT", f"{APPS}/{SHOP}/deployments/till", deployment("till", "v1")),
    "delete a Deployment": ("DELETE", f"{APPS}/{SHOP}/deployments/till", None),
    "patch another Deployment": ("PATCH", f"{APPS}/{SHOP}/deployments/other", NOTHING),
    "patch it in another namespace": ("PATCH", f"{APPS}/{ORDERS}/deployments/till", NOTHING),
    "patch ourselves": ("PATCH", f"{APPS}/{OWN}/deployments/rollback-manager", NOTHING),
    "patch in kube-system": (
        "PATCH",
        f"{APPS}/namespaces/kube-system/deployments/till",
        NOTHING,
    ),
    "patch the status": ("PATCH", f"{APPS}/{SHOP}/deployments/till/status", NOTHING),
    "scale past the object": (
        "PATCH",
        f"{APPS}/{SHOP}/deployments/till/scale",
        {"spec": {"replicas": 9}},
    ),
    "list Deployments": ("GET", f"{APPS}/{SHOP}/deployments", None),
    "patch a ReplicaSet": ("PATCH", f"{APPS}/{SHOP}/replicasets/any", NOTHING),
    "delete a ReplicaSet": ("DELETE", f"{APPS}/{SHOP}/replicasets/any", None),
    "patch a StatefulSet": ("PATCH", f"{APPS}/{SHOP}/statefulsets/till", NOTHING),
    "create a DaemonSet": ("POST", f"{APPS}/{SHOP}/daemonsets", named("DaemonSet")),
    "create a Job": ("POST", f"/apis/batch/v1/{SHOP}/jobs", named("Job")),
    "create a CronJob": ("POST", f"/apis/batch/v1/{SHOP}/cronjobs", named("CronJob")),
    # Traffic and configuration
    "create a Service": ("POST", f"{CORE}/{SHOP}/services", service("mine")),
    "delete a Service": ("DELETE", f"{CORE}/{SHOP}/services/till", None),
    "patch another Service": ("PATCH", f"{CORE}/{SHOP}/services/other", NOTHING),
    "proxy to a Service": ("GET", f"{CORE}/{SHOP}/services/till/proxy/", None),
    "patch an EndpointSlice": (
        "PATCH",
        f"/apis/discovery.k8s.io/v1/{SHOP}/endpointslices/any",
        NOTHING,
    ),
    "patch another HTTPRoute": (
        "PATCH",
        f"/apis/gateway.networking.k8s.io/v1/{SHOP}/httproutes/other",
        NOTHING,
    ),
    "patch an Ingress": ("PATCH", f"/apis/networking.k8s.io/v1/{SHOP}/ingresses/any", NOTHING),
    "patch a NetworkPolicy": (
        "PATCH",
        f"/apis/networking.k8s.io/v1/{OWN}/networkpolicies/rollback-manager",
        NOTHING,
    ),
    "get another ConfigMap": ("GET", f"{CORE}/{SHOP}/configmaps/other", None),
    "patch another ConfigMap": ("PATCH", f"{CORE}/{SHOP}/configmaps/other", NOTHING),
    "create a ConfigMap": ("POST", f"{CORE}/{SHOP}/configmaps", named("ConfigMap")),
    "delete the deny list": (
        "DELETE",
        f"{CORE}/{SHOP}/configmaps/rollback-manager-denied",
        None,
    ),
    "patch a quota": ("PATCH", f"{CORE}/{SHOP}/resourcequotas/any", NOTHING),
    "delete a PodDisruptionBudget": (
        "DELETE",
        f"/apis/policy/v1/{SHOP}/poddisruptionbudgets/any",
        None,
    ),
    "patch an autoscaler": (
        "PATCH",
        f"/apis/autoscaling/v2/{SHOP}/horizontalpodautoscalers/any",
        NOTHING,
    ),
    "write an event": ("POST", f"{CORE}/{SHOP}/events", named("Event")),
    "patch a lease": (
        "PATCH",
        f"/apis/coordination.k8s.io/v1/{SHOP}/leases/any",
        NOTHING,
    ),
    "read the server's metrics": ("GET", "/metrics", None),
}


@pytest.mark.parametrize("deed", FORBIDDEN)
def test_what_was_never_granted_is_refused(ours: Installed, deed: str) -> None:
    """By RBAC itself: it would come through, or fail otherwise, if the right were there."""
    method, path, body = FORBIDDEN[deed]
    refused = ours.refused(method, path, body)
    assert refused is not None, "it was let through"
    assert refused.status == 403, refused
    assert "system:serviceaccount:rollback-manager:rollback-manager" in refused.body
    assert "cannot" in refused.body


@pytest.mark.parametrize("header", ["Impersonate-User", "Impersonate-Group", "Impersonate-Uid"])
def test_nobody_is_impersonated(ours: Installed, header: str) -> None:
    """Whom it could become, it would have the rights of."""
    headers = {"Impersonate-User": "admin", header: "system:masters"}
    refused = ours.refused("GET", f"{CORE}/namespaces/kube-system", headers=headers)
    assert refused is not None
    assert refused.status == 403
    assert "cannot impersonate" in refused.body


@pytest.mark.parametrize("namespace", [IMAGE_ONLY, TEMPLATE, ACCOUNT[0], "kube-system"])
def test_no_rule_is_wider_than_the_catalogue(ours: Installed, namespace: str) -> None:
    """As the API server itself sums its rights up: T25."""
    body = {"spec": {"namespace": namespace}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    rules = ours.api.post(path, body)["status"]["resourceRules"]
    own = [rule for rule in rules if "selfsubjectreviews" not in rule["resources"]]
    own = [rule for rule in own if "authorization.k8s.io" not in rule["apiGroups"]]
    assert own
    for rule in own:
        assert set(rule["verbs"]) <= {"get", "list", "watch", "patch"}
        assert "*" not in [*rule["resources"], *rule["apiGroups"], *rule.get("resourceNames", [])]
        assert not {"secrets", "nodes", "roles"} & {r.partition("/")[0] for r in rule["resources"]}
        if "patch" in rule["verbs"]:
            assert rule.get("resourceNames"), rule
        assert namespace in (IMAGE_ONLY, TEMPLATE) or rule["verbs"] == ["get"], rule
