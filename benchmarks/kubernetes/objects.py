"""What the benchmark runs in the cluster: Deployments, each behind a Service. Pure."""

from typing import Any

from demo.kubernetes.api import Object
from demo.kubernetes.kubelet import NAME as SCHEDULER
from demo.kubernetes.pods import VERSION_LABEL

GOOD, BAD = "v1", "v2"
LATER = ("v1-later",)
"""Versions of which a pod is ready READY_S after it was bound; any other one at once."""
READY_S = 2.0


def deployment(name: str, version: str, pods: int) -> Object:
    """Rolled by the defaults of Kubernetes: 25 % more, 25 % less."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, version),
        },
    }


def template(name: str, version: str) -> dict[str, Any]:
    """Of its pods."""
    return {
        "metadata": {"labels": {"app": name, VERSION_LABEL: version}},
        "spec": {
            "schedulerName": SCHEDULER,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": f"registry.test/{name}:{version}"}],
        },
    }


def service(name: str) -> Object:
    """For all its pods, whatever their version."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def deployments(namespace: str, name: str = "") -> str:
    """Path of one, or of all."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" + (f"/{name}" if name else "")
