"""What each strategy finds in the cluster, and what the catalogue says of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.kubernetes.kubelet import NAME as SCHEDULER
from demo.kubernetes.pods import VERSION_LABEL
from proof.kill_matrix.placement import ENV, POLICY
from rollback_manager.platforms import Controller

Object = dict[str, Any]
APP = "shop"
INTERVAL_S = 0.5
"""Between two scrapes of the stand-in for Prometheus."""


@dataclass(frozen=True)
class Placement:
    """How a service is when its release is found to be bad.

    before: pods by version. weights: of an HTTPRoute; None: a Service, switched or followed.
    controller: of the one that replaces its pods in place; None: a Deployment per version.
    """

    strategy: str
    before: Mapping[str, int]
    weights: Mapping[str, int] | None = None
    controller: Controller | None = None

    @property
    def writers(self) -> frozenset[str]:
        """Steps that write here: where one controller replaces the pods, nobody sets shares."""
        if self.controller is not None:
            return frozenset({"prepare"})
        return frozenset({"prepare", "redirect_traffic", "stop_batch", "clean_up"})

    @property
    def names(self) -> tuple[str, ...]:
        """Of its controllers."""
        return (APP,) if self.controller else tuple(f"{APP}-{version}" for version in self.before)


PLACEMENTS: Mapping[str, Placement] = {
    "blue_green": Placement("blue_green", {"v1": 2, "v2": 4}),
    "canary": Placement("canary", {"v1": 3, "v2": 1}, {"v1": 75, "v2": 25}),
    "rolling_update": Placement("rolling_update", {"v2": 4}, controller=Controller.DEPLOYMENT),
    "generic": Placement("generic", {"v1": 2, "v2": 4}, {"v1": 0, "v2": 100}),
    "stateful_set": Placement("rolling_update", {"v2": 4}, controller=Controller.STATEFUL_SET),
}
"""By the name that the matrix has for it."""
BATCHES = Placement("rolling_update", {"v1": 0, "v2": 4}, {"v1": 0, "v2": 100})
"""Two Deployments and batches: one of them is written twice, which a late write can undo."""


def template(version: str) -> Object:
    """Pods of that version."""
    return {
        "metadata": {"labels": {"app": APP, VERSION_LABEL: version}},
        "spec": {
            "schedulerName": SCHEDULER,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": f"registry.test/{APP}:{version}"}],
        },
    }


def one_controller(kind: Controller, version: str, replicas: int) -> Object:
    """A Deployment or StatefulSet of all pods of the app."""
    of_set = kind is Controller.STATEFUL_SET
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": APP}},
        "template": template(version),
    }
    return {
        "kind": "StatefulSet" if of_set else "Deployment",
        "metadata": {"name": APP},
        "spec": spec | ({"serviceName": APP} if of_set else {}),
    }


def one_version(version: str, replicas: int) -> Object:
    """A Deployment of one version's pods alone."""
    body = one_controller(Controller.DEPLOYMENT, version, replicas)
    body["metadata"] = {"name": f"{APP}-{version}"}
    body["spec"]["selector"] = {"matchLabels": {"app": APP, VERSION_LABEL: version}}
    return body


def service(name: str, version: str = "") -> Object:
    """For all pods of the app, or those of one version."""
    selector = {"app": APP} | ({VERSION_LABEL: version} if version else {})
    ports = [{"port": 80, "targetPort": 8080}]
    return {
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector, "ports": ports},
    }


def http_route(weights: Mapping[str, int]) -> Object:
    """Weights of one Service per version."""
    backends = [
        {"name": f"{APP}-{version}", "port": 80, "weight": weight}
        for version, weight in weights.items()
    ]
    spec = {"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": backends}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": APP},
        "spec": spec,
    }


def objects(placement: Placement) -> list[Object]:
    """All that is created; in place v1 comes first, and v2 is deployed over it."""
    if placement.controller is not None:
        return [service(APP), one_controller(placement.controller, "v1", 4)]
    pods = [one_version(version, count) for version, count in placement.before.items()]
    if placement.weights is None:
        return [*pods, service(APP, "v2")]
    doors = [service(f"{APP}-{version}", version) for version in placement.weights]
    return [*pods, *doors, http_route(placement.weights)]


PLURALS = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Service": ("/api/v1", "services"),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes"),
}


def folder_of(kind: str, namespace: str) -> str:
    """Where objects of that kind are."""
    group, plural = PLURALS[kind]
    return f"{group}/namespaces/{namespace}/{plural}"


def write_catalogue(
    file: Path,
    placement: Placement,
    name: str,
    kubeconfig: Path,
    metrics: str,
    policy: Mapping[str, object] | None = None,
) -> Path:
    """name: of the service and of its namespace. metrics: base URL of what counts."""
    own = {**POLICY, "approval": {"required": False, "deadline_s": 60}, **(policy or {})}
    here = {"cluster": "main", "namespace": name}
    traffic = {"kind": "kubernetes_service", "service": APP}
    if placement.weights is not None:
        traffic = {"kind": "http_route", "route": APP}
    placed = {
        "workloads": {
            "kind": "kubernetes",
            "controller": str(placement.controller or Controller.DEPLOYMENT),
            "names": list(placement.names),
            **here,
        },
        "traffic": {**traffic, **here},
        "metrics": {
            "kind": "prometheus",
            "url": metrics,
            "requests": "requests_total",
            "errors": {"kind": "label", "label": "code", "matches": "5.."},
            "latency": "seconds",
            "scrape_interval_s": INTERVAL_S,
        },
    }
    whole = {
        "version": 1,
        "clusters": {"main": {"kubeconfig": str(kubeconfig), "context": "local"}},
        "environments": {ENV: {"policy": own}},
        "services": {
            name: {"strategy": placement.strategy, "environments": {ENV: placed}},
        },
    }
    file.write_text(json.dumps(whole))
    return file
