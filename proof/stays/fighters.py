"""Stand-ins for controllers that take an undo back; no evidence about the vendors' own.

Each does in a loop what its original does in one respect, under its original's field manager.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx

from demo.kubernetes.api import MERGE, Api, Object, Refused

EVERY_S = 0.5
SELF_HEAL, UPDATER, AUTOSCALER = "argocd-controller", "keel", "autoscaler-stand-in"


class Fighter:
    """Acts every half second until the block ends. fought: when it wrote."""

    def __init__(self, act: Callable[[], bool]) -> None:
        self._act = act
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.fought: list[datetime] = []
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                if self._act():
                    self.fought.append(datetime.now(UTC))
            except Refused as refused:
                self.refused.append(refused.body)
            except httpx.HTTPError:
                continue


class SelfHeal:
    """Argo CD's application controller in one respect: live is made desired, while it is automated.

    desired: the template that "Git" names; it may be changed while this runs. after_s: how long a
    difference stands before it is undone: seconds with self-heal, three minutes by a resync.
    """

    def __init__(
        self, api: Api, deployment: str, application: str, desired: Object, after_s: float
    ) -> None:
        self._api, self._deployment, self._application = api, deployment, application
        self.desired = desired
        self._after_s = after_s
        self._since = 0.0

    def __call__(self) -> bool:
        """One look; whether it wrote the Deployment."""
        application, live = self._api.get(self._application), self._api.get(self._deployment)
        wanted = self.desired["spec"]["containers"][0]["image"]
        differs = live["spec"]["template"]["spec"]["containers"][0]["image"] != wanted
        self._end_operation(application)
        self._report(differs)
        automated = application["spec"].get("syncPolicy", {}).get("automated")
        if not differs or automated is None or automated.get("enabled") is False:
            self._since = 0.0
            return False
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since < self._after_s:
            return False
        write(self._api, self._deployment, {"spec": {"template": self.desired}}, SELF_HEAL)
        return True

    def _end_operation(self, application: Object) -> None:
        state = application.get("status", {}).get("operationState", {})
        if state.get("phase") == "Terminating":
            over = {"status": {"operationState": {"phase": "Failed"}}}
            write(self._api, self._application, over, SELF_HEAL)

    def _report(self, differs: bool) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sync = {"status": "OutOfSync" if differs else "Synced", "revision": "4f2e91"}
        write(
            self._api, self._application, {"status": {"sync": sync, "reconciledAt": now}}, SELF_HEAL
        )


class ImageUpdater:
    """An updater such as Keel: the newest tag that it knows is set again, whatever runs."""

    def __init__(self, api: Api, deployment: str, image: str, after_s: float) -> None:
        self._api, self._deployment, self._image, self._after_s = api, deployment, image, after_s
        self._since = 0.0

    def __call__(self) -> bool:
        """One look; whether it wrote."""
        (container,) = self._api.get(self._deployment)["spec"]["template"]["spec"]["containers"]
        if container["image"] == self._image:
            self._since = 0.0
            return False
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since < self._after_s:
            return False
        containers = [{**container, "image": self._image}]
        spec = {"spec": {"template": {"spec": {"containers": containers}}}}
        write(self._api, self._deployment, spec, UPDATER)
        return True


class ScaleDown:
    """An autoscaler that sees no load: down to its minimum, and not below it."""

    def __init__(self, api: Api, deployment: str, autoscaler: str) -> None:
        self._api, self._deployment, self._autoscaler = api, deployment, autoscaler

    def __call__(self) -> bool:
        """One look; whether it wrote."""
        least = self._api.get(self._autoscaler)["spec"].get("minReplicas", 1)
        if self._api.get(self._deployment)["spec"]["replicas"] <= least:
            return False
        write(self._api, f"{self._deployment}/scale", {"spec": {"replicas": least}}, AUTOSCALER)
        return True


def write(api: Api, path: str, body: Any, manager: str) -> None:
    """A merge patch in the name of that field manager."""
    query = {"fieldManager": manager}
    headers = {"content-type": MERGE}
    api.request("PATCH", path, json=body, params=query, headers=headers)
