"""Pods as processes on loopback: what a container runtime and a kubelet's probes would do.

A pod with the address 10.x.y.z listens at 127.x.y.z, for endpoints may not name loopback.
"""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from demo import envoy_config
from demo.kubernetes.api import Object
from demo.kubernetes.pods import Run, digest_of, tag_of
from demo.processes import with_parent
from demo.supervisord_config import SHOP, SHOP_OPTIONS

REPOSITORY = "shop"
FIRST_PROBES_S = 0.05
"""Between probes of a pod that was not ready yet: a kubelet asks as soon as it has started one."""
BACK_OFF_S = 1.0
"""Before a container that ended by itself is started again; a kubelet begins with ten."""


@dataclass(frozen=True)
class Image:
    """One build of the shop. options: of shop.py, with underscores."""

    version: str
    options: Mapping[str, float]


class Registry:
    """A stand-in for a registry of images: what `shop:v2`, or its digest, does when it runs."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}

    def push(self, version: str, **options: float) -> str:
        """Build a version, or build it anew; the reference of its image."""
        if unknown := options.keys() - SHOP_OPTIONS:
            raise ValueError(f"the shop has no option {', '.join(sorted(unknown))}")
        reference = f"{REPOSITORY}:{version}"
        self._images[reference] = Image(version, options)
        return reference

    def pull(self, reference: str) -> Image | None:
        """The image that a pod names by tag or by digest."""
        digest = reference.partition("@")[2]
        if not digest:
            return self._images.get(f"{REPOSITORY}:{tag_of(reference)}")
        found = (image for name, image in self._images.items() if digest_of(name) == digest)
        return next(found, None)


@dataclass(frozen=True)
class Probe:
    """The readiness probe of a container, as Kubernetes defaults it."""

    host: str
    port: int
    path: str
    period_s: float
    timeout_s: float
    failures: int
    """In a row, until a ready container is no longer called ready."""

    @classmethod
    def of(cls, container: Mapping[str, Any], host: str) -> "Probe":
        """What the pod asks for."""
        asked: Mapping[str, Any] = container.get("readinessProbe") or {}
        http_get = asked.get("httpGet", {})
        return cls(
            host=host,
            port=int(http_get.get("port") or container["ports"][0]["containerPort"]),
            path=http_get.get("path", envoy_config.READY_PATH),
            period_s=float(asked.get("periodSeconds", 10)),
            timeout_s=float(asked.get("timeoutSeconds", 1)),
            failures=int(asked.get("failureThreshold", 3)),
        )

    def answers(self) -> bool:
        """Whether it says 200 now."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Container:
    """One process, watched by a thread of its own, started again whenever it ends by itself.

    The thread is the one that starts it: with that thread, or this process, the container ends.
    """

    def __init__(
        self, command: list[str], probe: Probe, log: Path, changed: Callable[[], None]
    ) -> None:
        self.run = Run()
        self.pid = 0
        """0 while none runs."""
        self.grace_s = 0.0
        self._command, self._probe, self._log = command, probe, log
        self._changed = changed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"pod-{log.stem}", daemon=True)
        self._thread.start()

    def end(self, grace_s: float) -> bool:
        """TERM, and KILL when the grace is over; whether it is gone."""
        self.grace_s = min(grace_s, self.grace_s) if self._ending.is_set() else grace_s
        self._ending.set()
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait until it is gone."""
        self._thread.join()

    def _live(self) -> None:
        while not self._ending.is_set():
            with self._log.open("ab") as log:
                child = subprocess.Popen(self._command, stdout=log, stderr=log)  # noqa: S603
            self.pid = child.pid
            self._say(ready=False, waiting="")
            self._watch(child)
            if self._ending.is_set():
                self._finish(child)
            else:
                self._say(ready=False, waiting="CrashLoopBackOff", restarts=self.run.restarts + 1)
                self._ending.wait(BACK_OFF_S)
        # The last word comes from another thread, when this one has really ended.
        threading.Thread(target=self._say_gone, daemon=True).start()

    def _watch(self, child: "subprocess.Popen[bytes]") -> None:
        """Ask it again and again, until it has ended or shall end."""
        failed = 0
        while child.poll() is None:
            failed = 0 if self._probe.answers() else failed + 1
            if not failed:
                self._say(ready=True, waiting="")
            elif failed >= self._probe.failures:
                self._say(ready=False, waiting="")
            if self._ending.wait(self._probe.period_s if self.run.ready else FIRST_PROBES_S):
                return

    def _finish(self, child: "subprocess.Popen[bytes]") -> None:
        child.terminate()
        until = time.monotonic()
        while child.poll() is None and time.monotonic() < until + self.grace_s:
            time.sleep(FIRST_PROBES_S / 2)
        child.kill()
        child.wait()
        self.pid = 0

    def _say(self, **now: Any) -> None:
        before, self.run = self.run, replace(self.run, **now)
        if before != self.run:
            self._changed()

    def _say_gone(self) -> None:
        self._thread.join()
        self._changed()


class Processes:
    """The containers of the pods of one world."""

    def __init__(self, registry: Registry, logs: Path) -> None:
        self.registry, self._logs = registry, logs
        self._prefix = with_parent()
        self._lock = threading.Lock()
        self._running: dict[str, Container] = {}
        self._closed = False

    def run(self, pod: Object, ip: str, changed: Callable[[], None]) -> Run:
        """Have its first container started, and say how it does."""
        uid, container = pod["metadata"]["uid"], pod["spec"]["containers"][0]
        image = self.registry.pull(container["image"])
        with self._lock:
            if uid not in self._running and not self._closed:
                if image is None:
                    return Run(waiting="ImagePullBackOff")
                self._running[uid] = self._started(pod, image, ip, changed)
            return self._running[uid].run if uid in self._running else Run()

    def end(self, uid: str, grace_s: float) -> bool:
        """Have a pod's container ended; whether it is gone."""
        with self._lock:
            container = self._running.get(uid)
            if container is None:
                return True
            if container.end(grace_s):
                del self._running[uid]
                return True
            return False

    def pids(self) -> list[int]:
        """Of the processes that run."""
        with self._lock:
            found = [one.pid for one in self._running.values()]
        return [pid for pid in found if pid]

    def close(self) -> None:
        """End all of them, and wait until they are gone."""
        with self._lock:
            self._closed, running = True, list(self._running.values())
        for one in running:
            one.end(0.0)
        for one in running:
            one.join()

    def _started(
        self, pod: Object, image: Image, ip: str, changed: Callable[[], None]
    ) -> Container:
        container, host = pod["spec"]["containers"][0], local(ip)
        port = str(container["ports"][0]["containerPort"])
        words = [*self._prefix, sys.executable, "-I", "-S", str(SHOP), "--host", host]
        words += ["--port", port, "--version", image.version]
        for option, value in image.options.items():
            words += [f"--{option.replace('_', '-')}", repr(float(value))]
        log = self._logs / f"{pod['metadata']['name']}.log"
        return Container(words, Probe.of(container, host), log, changed)


def local(ip: str) -> str:
    """Where a pod with that address really listens."""
    return f"127.{ip.partition('.')[2]}"
