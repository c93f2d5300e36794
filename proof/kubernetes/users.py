"""Users of a service, as the cluster would send them: witness, gateway and load in one.

There is no data plane: pods are a stand-in's. So each look reads through a client of its own what
kube-proxy and a gateway go by (EndpointSlices, Services, HTTPRoutes), and a hundred requests a
second are counted as these would spread them. A part of them whose version has nobody that is
ready fails. It is no part of the product, and shares no code with it.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx

from demo.kubernetes.api import MERGE, Api, Object, Refused
from demo.kubernetes.pods import VERSION_LABEL
from proof.kubernetes.counting import Labels
from proof.kubernetes.placement import APP, Placement, folder_of

RATE = 100.0
"""Requests per second."""
EVERY_S = 0.12
OWN_FAULT = 0.1
"""Of the bad version's answers: its own errors, for which nobody rolls back further."""
ALL = 4
"""Pods' worth of capacity before each rollback."""
EDGES = ("0.01", "1", "+Inf")
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"


@dataclass(frozen=True)
class Seen:
    """Where users are sent at one moment: percents in force, and by version who is ready."""

    at: datetime
    parts: Mapping[str, float]
    ready: Mapping[str, int]

    @property
    def worth(self) -> float:
        """How many pods' worth of the whole load the split carries: its weakest side decides.

        Weights are whole percents: a side may look one percent busier than its pods are.
        """
        busy = {
            name: max(1.0, part - 1) if part < 100 else 100 for name, part in self.parts.items()
        }
        return min((100 * self.ready.get(k, 0) / part for k, part in busy.items()), default=0.0)


class Users:
    """As long as the block lasts; `page` is what counts them."""

    def __init__(self, api: Api, namespace: str, placement: Placement) -> None:
        self.seen: list[Seen] = []
        self.sent = self.failed = 0.0
        self._api, self._namespace, self._placement = api, namespace, placement
        self._answered = {"v1": 0.0, "v2": 0.0}
        self._versions: dict[str, str] = {}
        self._route = f"{folder_of('HTTPRoute', namespace)}/{APP}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._last = 0.0
        self._trouble: BaseException | None = None

    def __enter__(self) -> Self:
        """They come."""
        self._last = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """They go; what stopped them before is raised."""
        self.leave()
        if self._trouble is not None and error is None:
            raise self._trouble

    def leave(self) -> None:
        """They go."""
        self._over.set()
        self._thread.join()

    def are_served(self) -> bool:
        """Whether the endpoints are those of four pods: they lag behind what was deployed."""
        return bool(self.seen) and self.seen[-1].worth >= ALL

    def page(self) -> dict[Labels, float]:
        """Counters by version and answer, as an exporter shows them."""
        found: dict[Labels, float] = {}
        for version, exact in dict(self._answered).items():
            count = int(exact)
            errors = int(exact * OWN_FAULT) if version == "v2" else 0
            for code, value in (("200", count - errors), ("500", errors)):
                labels = ("__name__", "requests_total"), ("version", version), ("code", code)
                found[labels] = float(value)
            for edge in EDGES:
                labels = ("__name__", "seconds_bucket"), ("version", version), ("le", edge)
                found[labels] = float(count)
        return found

    def _run(self) -> None:
        try:
            while not self._over.wait(EVERY_S):
                self._look()
        except (httpx.HTTPError, Refused, KeyError) as trouble:
            self._trouble = trouble

    def _look(self) -> None:
        pods = self._pods()
        parts = _by_pods(pods.get(APP, Counter()))
        if self._placement.weights is not None:
            parts = self._weights()
            ready = {v: pods.get(f"{APP}-{v}", Counter())[v] for v in self._answered}
        else:
            ready = {v: pods.get(APP, Counter())[v] for v in self._answered}
        self.seen.append(Seen(datetime.now(UTC), parts, ready))
        self._send(parts, ready)

    def _send(self, parts: Mapping[str, float], ready: Mapping[str, int]) -> None:
        now = time.monotonic()
        count, self._last = RATE * (now - self._last), now
        self.sent += count
        answered = {v: count * part / 100 for v, part in parts.items() if ready.get(v)}
        for version, more in answered.items():
            self._answered[version] += more
        self.failed += count - sum(answered.values())

    def _pods(self) -> dict[str, Counter[str]]:
        """Service → version → endpoints that are ready."""
        found: dict[str, Counter[str]] = {}
        for piece in self._api.get(SLICES.format(self._namespace))["items"]:
            name = piece["metadata"]["labels"]["kubernetes.io/service-name"]
            ready = [
                one["targetRef"]["uid"]
                for one in piece.get("endpoints") or []
                if one["conditions"].get("ready") and "targetRef" in one
            ]
            self._learn(ready)
            counted = Counter(self._versions[uid] for uid in ready if uid in self._versions)
            found.setdefault(name, Counter()).update(counted)
        return found

    def _learn(self, uids: list[str]) -> None:
        if all(uid in self._versions for uid in uids):
            return
        for pod in self._api.get(f"/api/v1/namespaces/{self._namespace}/pods")["items"]:
            version = pod["metadata"]["labels"][VERSION_LABEL]
            self._versions[pod["metadata"]["uid"]] = version

    def _weights(self) -> dict[str, float]:
        """Those of the route, taken up by saying so: the part that a gateway plays."""
        route = self._api.get(self._route)
        generation = route["metadata"]["generation"]
        if _taken_up(route) != generation:
            self._api.patch(f"{self._route}/status", _accepted(generation), MERGE)
        backends = route["spec"]["rules"][0]["backendRefs"]
        weights = {one["name"].removeprefix(f"{APP}-"): one["weight"] for one in backends}
        total = sum(weights.values())
        return {v: 100 * weight / total for v, weight in weights.items() if weight}


def _by_pods(ready: Counter[str]) -> dict[str, float]:
    total = ready.total()
    return {version: 100 * count / total for version, count in ready.items() if count}


def _taken_up(route: Object) -> int:
    parents = route.get("status", {}).get("parents") or []
    told = [one["observedGeneration"] for parent in parents for one in parent["conditions"]]
    return max(told, default=0)


def _accepted(generation: int) -> Object:
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    parent = {
        "parentRef": {"name": "gateway"},
        "controllerName": "rollback-manager.io/stand-in",
        "conditions": [condition],
    }
    return {"status": {"parents": [parent]}}
