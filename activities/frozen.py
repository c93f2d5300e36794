"""The role that keeps what was frozen of releases, and how it is read all the time."""

import threading
import time
from collections.abc import Mapping
from typing import Protocol

from activities.freezes import FreezesKept
from activities.glass import GlassesKept
from activities.records import Records
from rollback_manager.errors import TemporaryError
from rollback_manager.frozen import Frozen

ASK_EVERY_S = 5.0
"""A release that is recorded while its service goes back is known so much later at most."""

MOST_KNOWN = 20
"""Releases, the newest: nobody goes further back, and each is compared at every look."""


class FrozenContents(Protocol):
    """What was frozen, by the digest of its content; written once, never changed."""

    def keep_frozen(self, env: str, service: str, frozen: Frozen) -> str:
        """Keep it; its digest. The same content again is harmless."""

    def frozen(self, env: str, service: str, digest: str) -> Frozen | None:
        """What has that digest; None where nothing is kept of it."""


class Store(Records, FrozenContents, FreezesKept, GlassesKept, Protocol):
    """All four, as the records play them."""


class FrozenReleases:
    """The frozen releases of one service, by version. Who looks all the time asks seldom.

    What was kept never changes, so that each is read once; and while the records give no answer,
    what was known before still holds: no step waits for them that has begun.
    """

    def __init__(self, store: Store, env: str, service: str) -> None:
        self._store, self._env, self._service = store, env, service
        self._contents: dict[str, Frozen | None] = {}
        self._lock = threading.Lock()
        self._last: tuple[float, dict[str, Frozen]] | None = None

    def __call__(self) -> Mapping[str, Frozen]:
        """Version → what was frozen of it, at most ASK_EVERY_S old.

        Raises Unreachable while the records gave no answer at all yet.
        """
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > ASK_EVERY_S:
                self._last = time.monotonic(), self._read()
            return self._last[1]

    def _read(self) -> dict[str, Frozen]:
        try:
            releases = self._store.releases(self._env, self._service)[:MOST_KNOWN]
            points = {r.version: r.restore_point.frozen for r in releases if r.restore_point}
            found = {version: self._content(digest) for version, digest in points.items() if digest}
        except TemporaryError:
            if self._last is None:
                raise
            return self._last[1]
        return {version: frozen for version, frozen in found.items() if frozen is not None}

    def _content(self, digest: str) -> Frozen | None:
        if digest not in self._contents:
            self._contents[digest] = self._store.frozen(self._env, self._service, digest)
        return self._contents[digest]
