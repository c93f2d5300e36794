"""The objects of the world's services, as a team would keep them in its repository."""

from demo.kubernetes.api import Object
from demo.kubernetes.kubelet import NAME as SCHEDULER
from demo.kubernetes.pods import VERSION_LABEL

SLOT = "slot"
"""Label of a Deployment of several that hold a version each: blue or green."""
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes",
}


def path(kind: str, namespace: str, name: str = "") -> str:
    """Where the API has it."""
    return PATHS[kind].format(namespace=namespace) + (f"/{name}" if name else "")


def deployment(
    name: str, labels: dict[str, str], version: str, image: str, port: int, replicas: int
) -> Object:
    """Pods of one version. labels: by which they are selected."""
    container: Object = {
        "name": "shop",
        "image": image,
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": port}, "periodSeconds": 1},
    }
    pods: Object = {
        "schedulerName": SCHEDULER,
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 10,
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 30,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": {**labels, VERSION_LABEL: version}}, "spec": pods},
        },
    }


def service(name: str, labels: dict[str, str]) -> Object:
    """For the pods with these labels."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
    }


def http_route(name: str, weights: dict[str, int]) -> Object:
    """Paths below `/<name>` go to these Services by weight, without that prefix."""
    rule: Object = {
        "matches": [{"path": {"type": "PathPrefix", "value": f"/{name}"}}],
        "filters": [
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
            }
        ],
        "backendRefs": [
            {"name": service, "port": 80, "weight": weight} for service, weight in weights.items()
        ],
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "stand-in"}], "rules": [rule]},
    }
