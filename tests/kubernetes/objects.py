"""Small builders of Kubernetes objects, and waiting for what controllers make of them."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from demo.kubernetes.api import Api, Object
from demo.kubernetes.kubelet import NAME as SCHEDULER
from demo.kubernetes.pods import VERSION_LABEL

APPS, CORE = "/apis/apps/v1", "/api/v1"
WITHIN_S = 20.0

T = TypeVar("T")


def pod_template(app: str, version: str, image: str = "", **labels: str) -> Object:
    """Pods of an app in a version; the image is app:version unless another is named."""
    return {
        "metadata": {"labels": {"app": app, VERSION_LABEL: version, **labels}},
        "spec": {
            "schedulerName": SCHEDULER,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": image or f"registry.test/{app}:{version}"}],
        },
    }


def deployment(
    name: str, version: str, replicas: int = 2, *, app: str = "", image: str = "", **spec: Any
) -> Object:
    """One that gives up after 3 s. `spec` is laid over the rest of its spec."""
    app = app or name
    selector = {"app": app} if app == name else {"app": app, VERSION_LABEL: version}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 3,
            "selector": {"matchLabels": selector},
            "template": pod_template(app, version, image),
            **spec,
        },
    }


def stateful_set(name: str, version: str, replicas: int = 2, **spec: Any) -> Object:
    """Its pods have identities; its Service is not needed for that."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, version),
            **spec,
        },
    }


def daemon_set(name: str, version: str, **spec: Any) -> Object:
    """One pod on each of the machines that a test has."""
    template = pod_template(name, version)
    template["spec"]["nodeSelector"] = {"rollback-manager.io/stand-in": "true"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def service(name: str, version: str = "", *, app: str = "") -> Object:
    """For all pods of an app, or for those of one version."""
    selector = {"app": app or name} | ({VERSION_LABEL: version} if version else {})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def http_route(name: str, weights: dict[str, int]) -> Object:
    """Traffic by weight to Services."""
    backends = [{"name": one, "port": 80, "weight": weight} for one, weight in weights.items()]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": backends}]},
    }


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """Where the API has it, as path_of("deployments", "test", "shop")."""
    group = "/apis/gateway.networking.k8s.io/v1" if kind == "httproutes" else ""
    prefix = group or (CORE if kind in CORE_KINDS else GROUPS.get(kind, APPS))
    return f"{prefix}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


CORE_KINDS = {"services", "pods", "configmaps", "secrets", "serviceaccounts", "resourcequotas"}
GROUPS = {
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}


def created(api: Api, namespace: str, body: Object) -> Object:
    """Create it in this namespace."""
    kind = f"{body['kind'].lower()}s"
    return api.post(path_of(kind, namespace), body)


def condition(found: Object, kind: str) -> tuple[str, str]:
    """Status and reason of a condition; Unknown where there is none."""
    for one in found.get("status", {}).get("conditions", []):
        if one["type"] == kind:
            return one["status"], one.get("reason", "")
    return "Unknown", ""


def rolled_out(found: Object) -> bool:
    """As `kubectl rollout status` judges a Deployment."""
    wanted, told = found["spec"]["replicas"], found.get("status", {})
    return bool(
        told.get("observedGeneration") == found["metadata"]["generation"]
        and told.get("updatedReplicas", 0) == wanted
        and told.get("replicas", 0) == wanted
        and told.get("availableReplicas", 0) == wanted
    )


def until(look: Callable[[], T], holds: Callable[[T], object], within_s: float = WITHIN_S) -> T:
    """Look again and again, and return the first answer that holds."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if holds(found):
            return found
        assert time.monotonic() < deadline, f"not within {within_s} s; at last: {found}"
        time.sleep(0.03)


def pods_of(api: Api, namespace: str, app: str) -> list[Object]:
    """All pods of an app, those that end included."""
    found = api.get(path_of("pods", namespace), labelSelector=f"app={app}")["items"]
    assert isinstance(found, list)
    return found
