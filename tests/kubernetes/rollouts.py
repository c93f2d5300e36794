"""Rollouts of Argo for tests, and what is seen of them."""

import time
import uuid
from typing import Any

from demo.kubernetes.api import Api, Object
from tests.kubernetes.objects import path_of, pod_template, pods_of, until

MERGE = "application/merge-patch+json"
FOLDER = "/apis/argoproj.io/v1alpha1/namespaces"
PAUSE: Object = {"pause": {}}


def rollout(name: str, version: str, replicas: int = 4, **spec: Any) -> Object:
    """A canary of a quarter that waits for a person, unless `spec` says otherwise."""
    steps = [{"setWeight": 25}, PAUSE]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 4,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, version),
            "strategy": {"canary": {"steps": steps}},
            **spec,
        },
    }


class Shop:
    """The Rollout `shop` of a namespace, and the deeds of people at it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.path = f"{FOLDER}/{namespace}/rollouts/shop"

    def create(self, version: str = "v1", replicas: int = 4, **spec: Any) -> None:
        """Bring it up with a Service over all its pods, and wait until it is healthy."""
        self.api.post(self.path.rpartition("/")[0], rollout("shop", version, replicas, **spec))
        self.healthy(version, replicas)

    def seen(self) -> Object:
        return self.api.get(self.path)

    def status(self) -> Object:
        found: Object = self.seen().get("status", {})
        return found

    def deploy(self, version: str) -> None:
        """As a deployer does it: another template."""
        self.patch({"template": pod_template("shop", version)})

    def patch(self, spec: Object) -> None:
        self.api.patch(self.path, {"spec": spec}, MERGE)

    def tell(self, **status: Any) -> None:
        """As `kubectl argo rollouts abort|retry|promote --full` do.

        And a label after it: what comes while the controller writes its own status, it forgets.
        """
        self.api.patch(f"{self.path}/status", {"status": status}, MERGE)
        time.sleep(0.5)
        self.api.patch(self.path, {"metadata": {"labels": {"told": uuid.uuid4().hex}}}, MERGE)

    def ready(self) -> dict[str, int]:
        """Version → ready pods that stay."""
        found: dict[str, int] = {}
        for pod in pods_of(self.api, self.namespace, "shop"):
            told = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
            if told.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]:
                version = pod["metadata"]["labels"]["app.kubernetes.io/version"]
                found[version] = found.get(version, 0) + 1
        return found

    def phase(self) -> str:
        """As it says of the spec of now; empty while it has not looked."""
        seen = self.seen()
        status = seen.get("status", {})
        is_now = status.get("observedGeneration") == str(seen["metadata"]["generation"])
        return str(status.get("phase", "")) if is_now else ""

    def healthy(self, version: str, replicas: int = 4, within_s: float = 20.0) -> None:
        """Wait until all its pods have that version."""
        until(
            lambda: (self.phase(), self.ready()),
            lambda seen: seen == ("Healthy", {version: replicas}),
            within_s,
        )

    def paused(self, within_s: float = 20.0) -> None:
        """Wait until it stands at a pause of its own."""
        until(self.phase, lambda phase: phase == "Paused", within_s)


def active(api: Api, namespace: str, name: str = "shop") -> str:
    """Hash of the ReplicaSet that a Service takes."""
    selector = api.get(path_of("services", namespace, name))["spec"]["selector"]
    return str(selector.get("rollouts-pod-template-hash", ""))
