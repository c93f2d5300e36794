"""All objects at one path of the API, kept current: list once, then watch."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress

import httpx

from demo.kubernetes.api import Api, Object, Refused, Watch

AGAIN_S = 0.3
"""After a lost connection to the API server."""


class Followed:
    """What is at `path` now; `changed` is called after each change, from a thread of its own."""

    def __init__(self, api: Api, path: str, changed: Callable[[], None]) -> None:
        self.listed = threading.Event()
        self._api, self._path, self._changed = api, path, changed
        self._objects: dict[str, Object] = {}
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"follow-{path}", daemon=True)
        self._thread.start()

    def now(self) -> list[Object]:
        """As the watch last said; never to be changed."""
        with self._lock:
            return list(self._objects.values())

    def end(self) -> None:
        """Look no more."""
        self._stop.set()
        with suppress(OSError):  # broken already
            if self._watch is not None:
                self._watch.end()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                version = self._list()
                with self._api.watch(self._path, version) as self._watch:
                    for line in () if self._stop.is_set() else self._watch.lines:
                        if not self._note(json.loads(line)):
                            break
            except (httpx.HTTPError, Refused):
                self._stop.wait(AGAIN_S)  # the API server is away, or this is the end

    def _list(self) -> str:
        found = self._api.get(self._path)
        with self._lock:
            self._objects = {one["metadata"]["uid"]: one for one in found["items"]}
        self.listed.set()
        self._changed()
        version: str = found["metadata"]["resourceVersion"]
        return version

    def _note(self, change: Object) -> bool:
        """Take one event in; whether the watch is still good."""
        if change["type"] in ("ERROR", "BOOKMARK"):
            return bool(change["type"] == "BOOKMARK")
        uid = change["object"]["metadata"]["uid"]
        with self._lock:
            if change["type"] == "DELETED":
                self._objects.pop(uid, None)
            else:
                self._objects[uid] = change["object"]
        self._changed()
        return True
