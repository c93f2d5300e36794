"""What a cluster has of one service, read at once and shared by all who look at the same moment."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import Json, Pod, Revision
from rollback_manager.errors import Unreachable
from rollback_manager.platforms import Controller, KubernetesTarget

FRESH_S = 0.9
"""How old a reading may be: two requests for each, so about two a second while a step looks."""
MOST_READING_S = 5.0
"""A reading whose parts are further apart than one answer may take is no reading of one moment."""
PLURALS = {
    Controller.DEPLOYMENT: "deployments",
    Controller.STATEFUL_SET: "statefulsets",
    Controller.DAEMON_SET: "daemonsets",
}


@dataclass(frozen=True)
class World:
    """The controllers of one service, their revisions and pods, as they were at one moment.

    revisions: by the name of their controller, newest first. read_at: when the reading began.
    """

    controllers: Mapping[str, Json]
    revisions: Mapping[str, tuple[Revision, ...]]
    pods: tuple[Pod, ...]
    read_at: float

    def of(self, name: str) -> list[Pod]:
        """The pods that belong to a controller, through one of its revisions or directly."""
        uids = {one.uid for one in self.revisions[name]}
        uids.add(self.controllers[name]["metadata"]["uid"])
        return [pod for pod in self.pods if pod.owner in uids]


class Reader:
    """Reads the world of one service; whoever asks within FRESH_S gets the same reading."""

    def __init__(self, api: Api, target: KubernetesTarget) -> None:
        self.api = api
        self.target = target
        self._lock = threading.Lock()
        self._last: World | None = None

    def now(self, max_age_s: float = FRESH_S) -> World:
        """The world, at most so old."""
        asked_at = time.monotonic()
        with self._lock:
            last = self._last
            if last is None or asked_at - last.read_at > max_age_s:
                last = self._last = self._read(last)
            return last

    def forget(self) -> None:
        """After a write: whoever looks next must see what came of it."""
        with self._lock:
            self._last = None

    def path(self, name: str) -> str:
        """Where a controller of the service is."""
        return f"{self._folder('apps/v1', PLURALS[self.target.controller])}/{name}"

    def _read(self, last: World | None) -> World:
        read_at = time.monotonic()
        controllers = {name: self.api.get(self.path(name)) for name in self.target.names}
        selectors = {objects.selector(one) for one in controllers.values()}
        pods = self._pods(self._all(selectors, self._folder("v1", "pods")))
        known = last.revisions if last and _is_known(last, controllers, pods) else None
        revisions = known if known is not None else self._revisions(controllers, selectors)
        if (took_s := time.monotonic() - read_at) > MOST_READING_S:
            raise Unreachable(
                f"the API of cluster {self.api.name} took {took_s:.0f} s for one reading of"
                f" {', '.join(self.target.names)}",
                effect="Nothing is decided on a reading that is so old.",
            )
        return World(
            controllers=controllers, revisions=revisions, pods=tuple(pods), read_at=read_at
        )

    def _pods(self, items: list[Json]) -> list[Pod]:
        label = self.target.version_label
        return [objects.pod(item, label) for item in items if not objects.is_over(item)]

    def _revisions(
        self, controllers: Mapping[str, Json], selectors: set[str]
    ) -> dict[str, tuple[Revision, ...]]:
        is_deployment = self.target.controller is Controller.DEPLOYMENT
        kind = "replicasets" if is_deployment else "controllerrevisions"
        items = self._all(selectors, self._folder("apps/v1", kind))
        return {
            name: tuple(
                sorted(
                    (objects.revision(i, self.target.version_label) for i in items if _is_of(i, c)),
                    key=lambda one: one.number,
                    reverse=True,
                )
            )
            for name, c in controllers.items()
        }

    def _all(self, selectors: set[str], path: str) -> list[Json]:
        found = (item for one in sorted(selectors) for item in self.api.items(path, one))
        return list({item["metadata"]["uid"]: item for item in found}.values())

    def _folder(self, group: str, plural: str) -> str:
        root = "api" if group == "v1" else "apis"
        return f"/{root}/{group}/namespaces/{self.target.namespace}/{plural}"


def _is_of(item: Json, controller: Json) -> bool:
    owners = item["metadata"].get("ownerReferences", [])
    return any(one["uid"] == controller["metadata"]["uid"] for one in owners)


def _is_known(last: World, controllers: Mapping[str, Json], pods: list[Pod]) -> bool:
    """Whether the revisions of the last reading still tell whose pods these are."""
    same = all(
        _generation(one) == _generation(last.controllers[name]) for name, one in controllers.items()
    )
    uids = {one.uid for row in last.revisions.values() for one in row}
    uids |= {one["metadata"]["uid"] for one in controllers.values()}
    return same and all(pod.owner in uids for pod in pods)


def _generation(controller: Json) -> tuple[str, int]:
    meta = controller["metadata"]
    return meta["uid"], meta.get("generation", 0)
