"""All pods of a namespace, kept up to date by one watch for every service that runs in it.

A list for each look would be a request a second for each service, and still a second late.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import Json

UNASKED_S = 30.0
"""A watch that nobody asks ends: the next one begins with a list, which is one request."""
UNSURE_S = 3.0
"""Whoever looks, looks more often. After a longer pause this process may have been frozen, and what
the watch told meanwhile is not taken in yet."""
AGAIN_S = 1.0
"""After a broken watch; until it is back, every look reads for itself."""

log = logging.getLogger(__name__)


class PodFeed:
    """Pods as the API server tells of them, from the first question on."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._lock = threading.Lock()
        self._pods: dict[str, Json] = {}
        self._since = ""
        self._follows = False
        self._asked_at = 0.0
        self._turn = 0

    def all(self) -> list[Json]:
        """Every pod of now: from the watch while that follows, else from a list."""
        with self._lock:
            paused_s, self._asked_at = time.monotonic() - self._asked_at, time.monotonic()
            if not self._follows or paused_s > UNSURE_S:
                self._list()
                self._start()
            return list(self._pods.values())

    def distrust(self) -> None:
        """What it tells does not agree with what else is known: the next question lists anew."""
        with self._lock:
            self._follows = False
            self._turn += 1  # whatever the old watch still says is not taken in

    def _list(self) -> None:
        items, self._since = self._api.listed(self._path)
        self._pods = {item["metadata"]["uid"]: item for item in items}

    def _start(self) -> None:
        self._follows = True
        self._turn += 1
        thread = threading.Thread(
            target=self._follow, args=(self._turn, self._since), name="pods", daemon=True
        )
        thread.start()

    def _follow(self, turn: int, since: str) -> None:
        try:
            while self._is_wanted(turn):
                since = self._take_in(turn, self._api.watch(self._path, since), since)
        except Exception as error:  # noqa: BLE001 - whatever ended it, nobody follows any more
            log.info("the watch of pods ended", extra={"path": self._path, "error": repr(error)})
            time.sleep(AGAIN_S)
        with self._lock:
            if turn == self._turn:
                self._follows = False

    def _is_wanted(self, turn: int) -> bool:
        with self._lock:
            return turn == self._turn and time.monotonic() - self._asked_at < UNASKED_S

    def _take_in(self, turn: int, lines: Iterator[bytes], since: str) -> str:
        """Until the server ends the watch, as it does every minute; where to go on."""
        for line in lines:
            event = json.loads(line)
            item = event["object"]
            if event["type"] == "ERROR":
                raise ValueError(item.get("message", "the watch is too old"))
            since = item["metadata"]["resourceVersion"]
            with self._lock:
                if turn != self._turn:
                    return since
                if event["type"] == "DELETED":
                    self._pods.pop(item["metadata"]["uid"], None)
                elif event["type"] != "BOOKMARK":
                    self._pods[item["metadata"]["uid"]] = item
        return since
