"""The one service of this proof: its objects, its releases and its catalogue."""

from typing import Any

from demo.kubernetes import api as plain
from demo.kubernetes.kubelet import NAME as SCHEDULER
from demo.kubernetes.pods import VERSION_LABEL
from proof.released import PODS
from rollback_manager.catalogue import Catalogue
from rollback_manager.platforms import ArgoCdTarget, KubernetesTarget

ENV, SERVICE = "prod", "shop"
GOOD, BAD = "registry.test/shop:v1", "registry.test/shop:v2"
QUICK: dict[str, Any] = {
    "approval": {"required": False},
    "verification": {"min_window_s": 0, "max_window_s": 20, "throughput_floor": 0},
    "timeouts": {"prepare_s": 30, "redirect_traffic_s": 20, "drain_s": 20, "heartbeat_s": 5},
}


def template(version: str) -> plain.Object:
    """The pods of one version, as a pipeline deploys them."""
    return {
        "metadata": {"labels": {"app": SERVICE, VERSION_LABEL: version}},
        "spec": {
            "schedulerName": SCHEDULER,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": f"registry.test/{SERVICE}:{version}"}],
        },
    }


def at(version: str) -> plain.Object:
    """The change of a Deployment that brings this version."""
    return {"spec": {"template": template(version)}}


def create(api: plain.Api, namespace: str, *, argo: bool, scaled_to: int) -> None:
    """The objects as v1. argo: an Application owns them; scaled_to: an autoscaler does."""

    def make(group: str, kind: str, body: plain.Object, name: str = SERVICE) -> None:
        whole = {"metadata": {"name": name}, **body}
        api.post(f"{group}/namespaces/{namespace}/{kind}", whole)

    apps = "/apis/apps/v1"
    selector = {"matchLabels": {"app": SERVICE}}
    spec = {"replicas": PODS, "selector": selector, "template": template("v1")}
    make(apps, "deployments", {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    ports = [{"port": 80, "targetPort": 8080}]
    make("/api/v1", "services", {"spec": {"selector": {"app": SERVICE}, "ports": ports}})
    if argo:
        make("/apis/argoproj.io/v1alpha1", "applications", _application(namespace))
    if scaled_to:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": SERVICE}
        bounds = {"minReplicas": scaled_to, "maxReplicas": PODS + 2, "scaleTargetRef": target}
        make("/apis/autoscaling/v2", "horizontalpodautoscalers", {"spec": bounds})


def _application(namespace: str) -> plain.Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.test/shop.git", "path": "."},
            "destination": {"namespace": namespace, "name": "in-cluster"},
            "syncPolicy": {"automated": {"selfHeal": True, "prune": True}},
        },
    }


def workloads(namespace: str) -> KubernetesTarget:
    """What runs it."""
    return KubernetesTarget(
        kind="kubernetes", cluster="main", namespace=namespace, names=(SERVICE,)
    )


def gitops(namespace: str) -> ArgoCdTarget:
    """Who deploys it from Git."""
    return ArgoCdTarget(kind="argo_cd", cluster="main", namespace=namespace, application=SERVICE)


def catalogue(env: str, namespace: str, policy: dict[str, Any]) -> Catalogue:
    """That names this one service."""
    place = {"cluster": "main", "namespace": namespace}
    return Catalogue.model_validate(
        {
            "version": 1,
            "clusters": {"main": {"kubeconfig": "/unused", "context": "local"}},
            "environments": {env: {"policy": policy}},
            "services": {
                SERVICE: {
                    "strategy": "rolling_update",
                    "environments": {
                        env: {
                            "workloads": {"kind": "kubernetes", "names": [SERVICE], **place},
                            "traffic": {
                                "kind": "kubernetes_service",
                                "service": SERVICE,
                                **place,
                            },
                            "metrics": {
                                "kind": "prometheus",
                                "url": "http://127.0.0.1:1",
                                "requests": "requests_total",
                                "errors": {"kind": "label", "label": "code", "matches": "5.."},
                            },
                        }
                    },
                }
            },
        }
    )
