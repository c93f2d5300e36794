"""One observer for both sides: all pods by a watch of its own, and when a service was back."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from demo.kubernetes.api import Api, Object, Refused
from demo.kubernetes.api import Watch as Changes
from demo.kubernetes.pods import VERSION_LABEL, is_ready


class Place(NamedTuple):
    """A service: its namespace, and the label `app` of its pods."""

    namespace: str
    app: str


class _Pod(NamedTuple):
    place: Place
    version: str
    ready: bool


@dataclass
class Awaited:
    """A state that somebody waits for: so many ready pods of a version, and no other pod."""

    version: str
    pods: int
    at: float = 0.0
    held: bool = False


class Observer:
    """Follows every pod until the block ends."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._pods: dict[str, _Pod] = {}
        self._all: Counter[Place] = Counter()
        self._ready: Counter[tuple[Place, str]] = Counter()
        self._awaited: dict[Place, Awaited] = {}
        self._ended = False
        self._watch: Changes | None = None
        self._since = ""
        self._thread = threading.Thread(target=self._follow, name="observer", daemon=True)

    def __enter__(self) -> Self:
        """From a list on."""
        found = self._api.get("/api/v1/pods")
        self._since = found["metadata"]["resourceVersion"]
        for item in found["items"]:
            self._put(item)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the watch."""
        self._ended = True
        if self._watch is not None:
            self._watch.end()
        self._thread.join(5)

    def until(self, place: Place, version: str, pods: int) -> Awaited:
        """Begin to wait; `at` is the time.perf_counter() of the event that made it so."""
        awaited = Awaited(version, pods)
        with self._lock:
            self._awaited[place] = awaited
            self._judge(place)
        return awaited

    def knows(self, place: Place) -> bool:
        """Whether there is any pod of it."""
        with self._lock:
            return self._all[place] > 0

    def missing(self) -> dict[Place, str]:
        """What is still waited for, and what is there instead."""
        with self._lock:
            return {
                place: f"{self._ready[place, one.version]} of {one.pods} ready,"
                f" {self._all[place]} pods in all"
                for place, one in self._awaited.items()
                if not one.held
            }

    def _follow(self) -> None:
        while not self._ended:
            try:
                with self._api.watch("/api/v1/pods", self._since) as self._watch:
                    for line in self._watch.lines:
                        self._note(json.loads(line))
            except (httpx.HTTPError, Refused, OSError):
                time.sleep(0.1)

    def _note(self, change: Object) -> None:
        item = change["object"]
        if change["type"] == "ERROR":
            raise RuntimeError(f"the observer lost its watch: {item}")
        self._since = item["metadata"]["resourceVersion"]
        if change["type"] == "BOOKMARK":
            return
        with self._lock:
            place = self._drop(item) if change["type"] == "DELETED" else self._put(item)
            self._judge(place)

    def _put(self, item: Object) -> Place:
        meta = item["metadata"]
        place = Place(meta["namespace"], meta.get("labels", {}).get("app", ""))
        leaves = "deletionTimestamp" in meta
        pod = _Pod(place, meta["labels"].get(VERSION_LABEL, ""), is_ready(item) and not leaves)
        self._drop(item)
        self._pods[meta["uid"]] = pod
        self._all[place] += 1
        self._ready[place, pod.version] += pod.ready
        return place

    def _drop(self, item: Object) -> Place:
        meta = item["metadata"]
        before = self._pods.pop(meta["uid"], None)
        if before is None:
            return Place(meta["namespace"], meta.get("labels", {}).get("app", ""))
        self._all[before.place] -= 1
        self._ready[before.place, before.version] -= before.ready
        return before.place

    def _judge(self, place: Place) -> None:
        one = self._awaited.get(place)
        if one is None or one.held:
            return
        if self._ready[place, one.version] == one.pods == self._all[place]:
            one.at = time.perf_counter()
            one.held = True
