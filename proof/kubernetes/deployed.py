"""What one case has in the cluster: its objects as a deployer leaves them, and its pods."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from demo.kubernetes.api import MERGE, Api, Object
from demo.kubernetes.pods import VERSION_LABEL, is_ready
from proof.kubernetes.placement import APP, PLURALS, Placement, folder_of, objects, template
from rollback_manager.platforms import Controller

DEPLOYED_S = 60.0
KINDS = {Controller.DEPLOYMENT: "Deployment", Controller.STATEFUL_SET: "StatefulSet"}


class Objects:
    """In a namespace of their own."""

    def __init__(self, api: Api, namespace: str, placement: Placement) -> None:
        self._api, self._namespace, self._placement = api, namespace, placement

    def deploy(self) -> None:
        """The objects, then v2 in place where one controller has it."""
        api, placement = self._api, self._placement
        api.post("/api/v1/namespaces", {"metadata": {"name": self._namespace}})
        for body in objects(placement):
            api.post(folder_of(body["kind"], self._namespace), body)
        if placement.controller is not None:
            self._until_ready({"v1": 4})
            path = f"{folder_of(KINDS[placement.controller], self._namespace)}/{APP}"
            api.patch(path, {"spec": {"template": template("v2")}}, MERGE)
        self._until_ready({v: count for v, count in placement.before.items() if count})

    def _until_ready(self, wanted: dict[str, int]) -> None:
        deadline = time.monotonic() + DEPLOYED_S
        while by_version(pods := self.pods(), is_ready) != wanted or len(pods) > sum(
            wanted.values()
        ):
            assert time.monotonic() < deadline, f"{self._namespace} was not deployed"
            time.sleep(0.1)

    def pods(self) -> list[Object]:
        """Those that are to stay."""
        found = self._api.get(f"/api/v1/namespaces/{self._namespace}/pods")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def counted(self) -> dict[str, int]:
        """Generation of each object that has one: how often its spec was changed."""
        found: dict[str, int] = {}
        kinds = [*KINDS.values(), *["HTTPRoute"] * (self._placement.weights is not None)]
        for kind in kinds:
            group, plural = PLURALS[kind]
            for one in self._api.get(folder_of(kind, self._namespace))["items"]:
                name = f"{group.split('/')[2]}/{plural}/{one['metadata']['name']}"
                found[name] = one["metadata"]["generation"]
        return found

    def standing(self) -> dict[tuple[str, str], Any]:
        """What the deployer left where the product writes."""
        placement = self._placement
        rows: dict[tuple[str, str], Any] = {}
        for version, count in placement.before.items():
            rows[f"apps/deployments/{APP}-{version}", "/spec/replicas"] = count
        for number, weight in enumerate((placement.weights or {}).values()):
            path = f"/spec/rules/0/backendRefs/{number}/weight"
            rows[f"gateway.networking.k8s.io/httproutes/{APP}", path] = weight
        return rows


def by_version(pods: list[Object], counts: Callable[[Object], bool]) -> dict[str, int]:
    """How many of each version count."""
    return dict(Counter(pod["metadata"]["labels"][VERSION_LABEL] for pod in pods if counts(pod)))
