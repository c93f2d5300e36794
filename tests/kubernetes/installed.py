"""deploy/kubernetes/ on a real control plane, and its account as whoever has its token meets it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from demo.kubernetes import crds
from demo.kubernetes.api import Api, Object, Refused, connected
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import until

DEPLOY = Path(__file__).parents[2] / "deploy/kubernetes"
ACCOUNT = ("rollback-manager", "rollback-manager")
IMAGE_ONLY, TEMPLATE = "shop", "orders"
"""The managed namespaces of the example; the second one is labelled for template mode here."""
JSON_PATCH = "application/json-patch+json"
MARK = "/metadata/annotations/rollback-manager.io~1mark"


@dataclass(frozen=True)
class Installed:
    """The account's own API and kubeconfig."""

    api: Api
    kubeconfig: Path

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> Refused | None:
        """What the API says to a call; None where it was let through."""
        kind = JSON_PATCH if isinstance(body, list) else "application/json"
        if method == "PATCH" and kind != JSON_PATCH:
            kind = "application/merge-patch+json"
        headers = {"content-type": kind} | more.pop("headers", {})
        try:
            self.api.request(method, path, json=body, headers=headers, **more)
        except Refused as refused:
            return refused
        return None


@contextmanager
def installed(cluster: Cluster, folder: Path) -> Iterator[Installed]:
    """What `kubectl apply -k` gives, in namespaces that are there already."""
    crds.install(cluster.api, crds.GATEWAY_API)
    for name, mode in ((IMAGE_ONLY, ""), (TEMPLATE, "template")):
        until(partial(phase, cluster, name), lambda found: found != "Terminating", 60)
        labels = {"rollback-manager.io/mode": mode} if mode else {}
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels},
        }
        cluster.api.apply(f"/api/v1/namespaces/{name}", json.dumps(body))
    cluster.kubectl("apply", "-k", str(DEPLOY))
    token = cluster.account_token(*ACCOUNT)
    kubeconfig = cluster.kubeconfig_with(token, folder / "ours")
    with connected(kubeconfig) as api:
        ours = Installed(api, kubeconfig)
        until(lambda: ours.api.get("/api/v1/namespaces/kube-system"), bool)
        yield ours
    for name in (IMAGE_ONLY, TEMPLATE):
        cluster.api.delete(f"/api/v1/namespaces/{name}")


def phase(cluster: Cluster, namespace: str) -> str:
    """Of a namespace; empty where there is none."""
    try:
        found: str = cluster.api.get(f"/api/v1/namespaces/{namespace}")["status"]["phase"]
    except Refused:
        return ""
    return found


def marked(*operations: Object, mark: str = "2.1.op") -> list[Object]:
    """A JSON patch that carries our mark, on an object that has annotations."""
    return [*operations, {"op": "add", "path": MARK, "value": mark}]
