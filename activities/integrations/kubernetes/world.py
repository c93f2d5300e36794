"""What a cluster has of one service, read at once and shared by all who look at the same moment."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.feed import PodFeed
from activities.integrations.kubernetes.objects import Json, Pod, Revision
from activities.integrations.kubernetes.rollout_status import as_kept, must_have_template
from rollback_manager.errors import Unreachable
from rollback_manager.platforms import Controller, PodsTarget

OVERDUE = timedelta(seconds=5)
"""So long after its grace a kubelet has told of a pod's end, if it can still tell of anything."""
FRESH_S = 2.0
"""How old a controller may be that somebody else may have changed; pods are those of now."""
MOST_READING_S = 5.0
"""A reading whose parts are further apart than one answer may take is no reading of one moment."""
ODD_S = 1.0
"""A controller counts its pods anew within a moment of each change of them."""
PLURALS = {
    Controller.DEPLOYMENT: "deployments",
    Controller.STATEFUL_SET: "statefulsets",
    Controller.DAEMON_SET: "daemonsets",
    Controller.ROLLOUT: "rollouts",
}
IN_REPLICA_SETS = (Controller.DEPLOYMENT, Controller.ROLLOUT)
"""They keep their revisions as ReplicaSets."""
GROUPS = {Controller.ROLLOUT: "argoproj.io/v1alpha1"}
"""apps/v1 has the others."""


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
    """Reads the world of one service; whoever asks at the same time gets the same reading."""

    def __init__(self, api: Api, target: PodsTarget, feed: PodFeed) -> None:
        self.api = api
        self.target = target
        self._feed = feed
        self._lock = threading.Lock()
        self._last: World | None = None
        self._odd: tuple[float, tuple[Pod, ...]] | None = None
        self._seen: dict[str, tuple[Json, Pod | None]] = {}
        self._selectors: list[Json] = []
        self._written: dict[str, tuple[float, Json]] = {}

    def now(self, max_age_s: float = FRESH_S) -> World:
        """The world: its controllers at most so old, its pods as they are."""
        asked_at = time.monotonic()
        with self._lock:
            try:
                self._last = self._newer(self._last, asked_at - max_age_s)
            except Unreachable:
                self._feed.distrust()  # a watch may hang where a request gets no answer
                raise
            return self._last

    def _newer(self, last: World | None, than: float) -> World:
        if last is None or last.read_at < than:
            return self._read(last, than)
        return self._with_pods_of_now(last)

    def forget(self) -> None:
        """Whoever looks next must see what is there by now."""
        with self._lock:
            self._last, self._written = None, {}

    def wrote(self, name: str, answer: Json) -> None:
        """After a write: whoever looks next must see what came of it.

        answer: the controller as the API server gave it back, which saves reading it once more.
        """
        with self._lock:
            self._last, self._written = None, {name: (time.monotonic(), answer)}

    def anew(self) -> None:
        """Nothing that was read or told so far: another worker may have written since."""
        self.forget()
        self._feed.distrust()

    def path(self, name: str) -> str:
        """Where a controller of the service is."""
        kind = self.target.controller
        return f"{self.folder(GROUPS.get(kind, 'apps/v1'), PLURALS[kind])}/{name}"

    def folder(self, group: str, plural: str) -> str:
        """Where objects of that kind are in the namespace of the service."""
        root = "api" if group == "v1" else "apis"
        return f"/{root}/{group}/namespaces/{self.target.namespace}/{plural}"

    def _read(self, last: World | None, newer_than: float = float("inf")) -> World:
        read_at = time.monotonic()
        written = {name: one for name, one in self._written.items() if one[0] >= newer_than}
        self._written = {}
        controllers = {
            name: written[name][1] if name in written else self.api.get(self.path(name))
            for name in self.target.names
        }
        for one in controllers.values():
            must_have_template(one)
        pods = self._pods(controllers)
        known = last.revisions if last and _is_known(last, controllers, pods) else None
        revisions = known if known is not None else self._revisions(controllers)
        if self.target.controller is Controller.ROLLOUT:
            controllers = {
                name: as_kept(one, {row.hash: row.template for row in revisions[name]})
                for name, one in controllers.items()
            }
        if (took_s := time.monotonic() - read_at) > MOST_READING_S:
            raise Unreachable(
                f"the API of cluster {self.api.name} took {took_s:.0f} s for one reading of"
                f" {', '.join(self.target.names)}",
                effect="Nothing is decided on a reading that is so old.",
            )
        world = World(
            controllers=controllers,
            revisions=revisions,
            pods=pods,
            read_at=min([read_at, *(at for at, _ in written.values())]),
        )
        self._compare(world)
        return world

    def _with_pods_of_now(self, last: World) -> World:
        pods = self._pods(last.controllers)
        if pods == last.pods:
            return last
        if not _is_known(last, last.controllers, pods):
            return self._read(last)  # a pod of a revision that is newer than the last reading
        return replace(last, pods=pods)

    def _pods(self, controllers: Mapping[str, Json]) -> tuple[Pod, ...]:
        """Those of the service. What a pod says is read once, until the feed has a newer one."""
        selectors = [one["spec"]["selector"] for one in controllers.values()]
        before = self._seen if selectors == self._selectors else {}
        self._selectors, self._seen = selectors, {}
        for item in self._feed.all():
            uid = item["metadata"]["uid"]
            known = before.get(uid)
            if known is None or known[0] is not item:
                known = item, self._pod(item, controllers)
            self._seen[uid] = known
        return tuple(pod for _, pod in self._seen.values() if pod is not None)

    def _pod(self, item: Json, controllers: Mapping[str, Json]) -> Pod | None:
        if objects.is_over(item) or not objects.is_selected(item, controllers.values()):
            return None
        return objects.pod(item, self.target.version_label)

    def _compare(self, world: World) -> None:
        """For a while another count than the controllers', and no news of pods in between.

        Then the watch has lost something. While pods come and go a controller's count is behind.
        """
        if any(_is_overdue(pod) for pod in world.pods):
            self._feed.distrust()  # it may be gone, and the watch has lost the word of it
            return
        told = {name: objects.ready_by_status(c) for name, c in world.controllers.items()}
        seen = {name: sum(pod.ready for pod in world.of(name)) for name in told}
        now = time.monotonic()
        if told == seen:
            self._odd = None
        elif self._odd is None or self._odd[1] != world.pods:
            self._odd = now, world.pods
        elif now - self._odd[0] >= ODD_S:
            self._odd = None
            self._feed.distrust()

    def _revisions(self, controllers: Mapping[str, Json]) -> dict[str, tuple[Revision, ...]]:
        are_sets = self.target.controller in IN_REPLICA_SETS
        path = self.folder("apps/v1", "replicasets" if are_sets else "controllerrevisions")
        selectors = {objects.selector(one) for one in controllers.values()}
        items = [item for one in sorted(selectors) for item in self.api.items(path, one)]
        label = self.target.version_label
        rows = {
            name: {objects.revision(item, label).uid: item for item in items if _is_of(item, one)}
            for name, one in controllers.items()
        }
        return {
            name: tuple(
                sorted(
                    (objects.revision(item, label) for item in row.values()),
                    key=lambda one: one.number,
                    reverse=True,
                )
            )
            for name, row in rows.items()
        }


def _is_overdue(pod: Pod) -> bool:
    return pod.gone_by is not None and datetime.now(UTC) - pod.gone_by > OVERDUE


def _is_of(item: Json, controller: Json) -> bool:
    owners = item["metadata"].get("ownerReferences", [])
    return any(one["uid"] == controller["metadata"]["uid"] for one in owners)


def _is_known(last: World, controllers: Mapping[str, Json], pods: Sequence[Pod]) -> bool:
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
