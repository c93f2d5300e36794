"""The world's services as a catalogue has them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes.config import list_kube_config_contexts

from demo.kubernetes import prometheus

ENV, CLUSTER = "demo", "main"
SHOP, TILL = "shop", "till"
COLOURS = ("blue", "green")
POLICY: Mapping[str, Any] = {
    "approval": {"required": True, "deadline_s": 300},
    "confirmed_requests": 100,
    "verification": {"min_window_s": 5, "max_window_s": 60, "latency_factor": 4},
}
"""Short windows, because the demo's traffic is dense. One small machine has hiccups of its own."""


def catalogue(
    services: Mapping[str, str],
    kubeconfig: Path,
    uid: str,
    namespace: str,
    metrics_port: int,
    policy: Mapping[str, Any],
) -> dict[str, Any]:
    """Its document. services: name → URL under which users reach it."""
    contexts = list_kube_config_contexts(str(kubeconfig))
    cluster = {"kubeconfig": str(kubeconfig), "context": contexts[1]["name"], "uid": uid}
    placed = {"cluster": CLUSTER, "namespace": namespace}
    return {
        "version": 1,
        "clusters": {CLUSTER: cluster},
        "environments": {
            ENV: {
                "security": "local",
                "policy": dict(policy),
                "decisions": {"tier_up_without_evidence": False},
            }
        },
        "services": {
            name: {
                "strategy": "blue_green" if name == SHOP else "rolling_update",
                "environments": {ENV: _placement(name, url, placed, metrics_port)},
            }
            for name, url in services.items()
        },
    }


def _placement(name: str, url: str, placed: dict[str, str], metrics_port: int) -> dict[str, Any]:
    pods = {"kind": "kubernetes", **placed, "controller": "deployment"}
    if name == SHOP:
        workloads = {**pods, "names": [f"{name}-{colour}" for colour in COLOURS]}
        traffic = {"kind": "http_route", **placed, "route": name}
    else:
        workloads = {**pods, "names": [name]}
        traffic = {"kind": "kubernetes_service", **placed, "service": name}
    return {
        "workloads": workloads,
        "traffic": traffic,
        "metrics": prometheus.source(metrics_port),
        "journeys": [
            {"name": "front page", "get": f"{url}/", "contains": "version"},
            {"name": "checkout", "get": f"{url}/checkout"},
        ],
    }
