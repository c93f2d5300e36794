"""A stand-in for machines, their kubelets and the scheduler. No container ever runs.

It binds each pod to one of its nodes, reports it as running and ready, and lets it go when it is
deleted. Which version is late, never ready, crashes or has another digest is one line of a test:
`kubelet.behaviour["v2"] = Never()`, also for pods that are there already.
"""

import heapq
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Protocol, Self

import httpx

from demo.kubernetes import nodes, pods
from demo.kubernetes.api import STRATEGIC, Api, Object, Refused, Watch
from demo.kubernetes.pods import Behaviour, Never, Report, Run, Wait

NAME = "stand-in"
TICK_S = 0.02
WRITERS = 4
AGAIN_S = 0.3
"""After a lost connection to the API server."""
HEARTBEAT_S = 10.0
"""A cluster with a controller for nodes gives one up after 40 s."""
GONE = 404


class Runtime(Protocol):
    """What really runs the containers of pods, where something does."""

    def run(self, pod: Object, ip: str, changed: Callable[[], None]) -> Run:
        """Have its container started, and say how it does; `changed` is called when that turns."""

    def end(self, uid: str, grace_s: float) -> bool:
        """Have a pod's container ended; whether it is gone. `changed` is called when it is."""


@dataclass
class _Seen:
    """A pod as it was seen last, and since when it behaves so."""

    pod: Object
    behaviour: Behaviour
    since: float
    ip: str
    ending: float | None = None
    busy: bool = False
    due: bool = False


class Kubelet:
    """Plays `nodes` machines in a cluster until the block ends.

    name: of the scheduler that pods may ask for, and what its nodes' names begin with.
    others: where a cluster has other machines, only pods that ask for ours are ours.
    """

    def __init__(
        self,
        api: Api,
        nodes: int = 2,
        *,
        name: str = NAME,
        others: bool = False,
    ) -> None:
        self.behaviour: dict[str, Behaviour] = {}
        """By image, by version label or by the image's tag."""
        self.grace_s = 0.0
        """How long a deleted pod takes to go."""
        self.runtimes: dict[str, Runtime] = {}
        """By namespace: elsewhere a pod is nothing but its status."""
        self.nodes = [f"{name}-{number}" for number in range(1, nodes + 1)]
        self._api = api
        self._ours = {name} if others else {name, "default-scheduler"}
        self._tainted = others
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()
        self._alarms: list[tuple[float, str]] = []
        self._turn = itertools.count()
        # Processes serve at these addresses, also those of another kubelet on this machine.
        self._ip = itertools.count(random.randrange(64 << 16, 250 << 16))  # noqa: S311
        self._known: dict[str, Behaviour] = {}
        self._version = ""
        self._watch: Watch | None = None
        self._stop = threading.Event()
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="kubelet")
        self._threads = [
            threading.Thread(target=work, name=f"kubelet-{work.__name__}", daemon=True)
            for work in (self._follow, self._act, self._beat)
        ]

    def __enter__(self) -> Self:
        """Create the nodes and begin."""
        for name in self.nodes:
            nodes.create(self._api, name, tainted=self._tainted)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let pods be as they are, and take the nodes away."""
        self._stop.set()
        with suppress(OSError):  # broken already
            if self._watch is not None:
                self._watch.end()
        for thread in self._threads:
            thread.join()
        self._writers.shutdown(cancel_futures=True)
        for name in self.nodes:
            self._quietly(partial(self._api.delete, f"/api/v1/nodes/{name}"))

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            for name in self.nodes:
                self._quietly(partial(nodes.report, self._api, name))

    def _follow(self) -> None:
        """Keep what is known of all pods; after a break, from a new list on."""
        while not self._stop.is_set():
            try:
                self._list()
                with self._api.watch("/api/v1/pods", self._version) as self._watch:
                    for line in () if self._stop.is_set() else self._watch.lines:
                        if not self._note(json.loads(line)):
                            break
            except (httpx.HTTPError, Refused):
                self._stop.wait(AGAIN_S)  # the API server is away, or this is the end

    def _list(self) -> None:
        found = self._api.get("/api/v1/pods")
        self._version = found["metadata"]["resourceVersion"]
        there = {pod["metadata"]["uid"]: pod for pod in found["items"]}
        with self._lock:
            for uid in [uid for uid in self._seen if uid not in there]:
                self._forget(uid)
            for pod in there.values():
                self._remember(pod)

    def _note(self, change: Object) -> bool:
        """Take one event in; whether the watch is still good."""
        pod = change["object"]
        if change["type"] == "ERROR":
            return False
        if change["type"] == "BOOKMARK":
            return True
        with self._lock:
            if change["type"] == "DELETED":
                self._forget(pod["metadata"]["uid"])
            else:
                self._remember(pod)
        return True

    def _remember(self, pod: Object) -> None:
        uid, now = pod["metadata"]["uid"], time.monotonic()
        if pod["spec"].get("schedulerName") not in self._ours:
            return
        seen = self._seen.get(uid)
        if seen is None:
            behaviour = pods.behaviour_of(pod, self._known)
            seen = self._seen[uid] = _Seen(pod, behaviour, now, self._next_ip())
        seen.pod = pod
        if pod["metadata"].get("deletionTimestamp") and seen.ending is None:
            grace_s = pod["metadata"].get("deletionGracePeriodSeconds", 0)
            seen.ending = now + min(self.grace_s, grace_s)
        heapq.heappush(self._alarms, (now, uid))

    def _forget(self, uid: str) -> None:
        """It is gone from the API, maybe by force: then nobody waits for its container."""
        seen = self._seen.pop(uid, None)
        if seen and (runtime := self._runtime(seen)):
            runtime.end(uid, 0.0)

    def _runtime(self, seen: _Seen) -> Runtime | None:
        return self.runtimes.get(seen.pod["metadata"]["namespace"])

    def _next_ip(self) -> str:
        number = next(self._ip)
        return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"

    def _act(self) -> None:
        while not self._stop.wait(TICK_S):
            with self._lock:
                self._take_in_changes()
                now, due = time.monotonic(), set()
                while self._alarms and self._alarms[0][0] <= now:
                    due.add(heapq.heappop(self._alarms)[1])
                for uid in due & self._seen.keys():
                    self._decide(uid, self._seen[uid], now)

    def _take_in_changes(self) -> None:
        """Pods whose version behaves otherwise from now on."""
        known = dict(self.behaviour)
        if known == self._known:
            return
        self._known, now = known, time.monotonic()
        for uid, seen in self._seen.items():
            behaviour = pods.behaviour_of(seen.pod, known)
            if behaviour != seen.behaviour:
                seen.behaviour, seen.since = behaviour, now
                heapq.heappush(self._alarms, (now, uid))

    def _decide(self, uid: str, seen: _Seen, now: float) -> None:
        """One write at a time for each pod; what it changes comes back by the watch."""
        if seen.busy:
            seen.due = True
            return
        path, runtime = _path(seen.pod), self._runtime(seen)
        if seen.ending is not None:
            grace_s = seen.pod["metadata"].get("deletionGracePeriodSeconds", 0)
            if runtime and not runtime.end(uid, grace_s):
                return  # it says when
            if seen.ending > now:
                heapq.heappush(self._alarms, (seen.ending, uid))
                return
            self._write(uid, seen, lambda: self._api.delete(path, gracePeriodSeconds=0))
        elif not seen.pod["spec"].get("nodeName"):
            binding = _binding(seen.pod, pods.node_of(seen.pod, self.nodes, next(self._turn)))
            seen.since = now
            self._write(uid, seen, lambda: self._api.post(f"{path}/binding", binding))
        elif seen.pod["spec"]["nodeName"] in self.nodes:
            self._report(uid, seen, path, self._next(uid, seen, runtime, now), now)

    def _next(
        self, uid: str, seen: _Seen, runtime: Runtime | None, now: float
    ) -> Report | Wait | None:
        if runtime is None or isinstance(seen.behaviour, Never):
            return pods.next_of(seen.pod, seen.behaviour, now - seen.since, seen.ip)
        run = runtime.run(seen.pod, seen.ip, partial(self._wake, uid))
        return pods.next_of_run(seen.pod, run, seen.ip)

    def _wake(self, uid: str) -> None:
        with self._lock:
            heapq.heappush(self._alarms, (time.monotonic(), uid))

    def _report(
        self, uid: str, seen: _Seen, path: str, what: Report | Wait | None, now: float
    ) -> None:
        match what:
            case Report(status=status):
                body = {"metadata": {"uid": uid}, "status": status}
                self._write(uid, seen, lambda: self._api.patch(f"{path}/status", body, STRATEGIC))
            case Wait(for_s=for_s):
                heapq.heappush(self._alarms, (now + for_s, uid))
            case None:
                pass

    def _write(self, uid: str, seen: _Seen, call: Callable[[], Object]) -> None:
        seen.busy = True
        self._writers.submit(self._carry_out, uid, seen, call)

    def _carry_out(self, uid: str, seen: _Seen, call: Callable[[], Object]) -> None:
        """In a writer's thread to its end.

        A callback of the future would be carried out by who adds it where the write is over by
        then: by the thread that holds the lock which it waits for.
        """
        settled = False
        try:
            settled = self._quietly(call)
        finally:
            with self._lock:
                again, seen.busy, seen.due = seen.due or not settled, False, False
                if again:
                    heapq.heappush(self._alarms, (time.monotonic(), uid))

    def _quietly(self, call: Callable[[], object]) -> bool:
        """Whether it need not be tried again. After a conflict the watch brings what is new."""
        try:
            call()
        except (httpx.HTTPError, Refused) as error:
            if getattr(error, "status", 0) in (GONE, nodes.CONFLICT):
                return True
            self._stop.wait(AGAIN_S)
            return self._stop.is_set()
        return True


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _binding(pod: Object, node: str) -> Object:
    name = pod["metadata"]["name"]
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    return {"metadata": {"name": name, "uid": pod["metadata"]["uid"]}, "target": target}
