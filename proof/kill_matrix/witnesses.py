"""Witnesses of a rollback that share no code with the product: files, processes, users, Envoy.

Each only looks. What they saw is judged in `oracle`.
"""

import ctypes
import json
import os
import re
import select
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from demo import envoy_admin

EVERY_S = 0.07
"""Between two looks at Envoy: some 12 a second, against the 5 that are asked for."""
MOVED_TO, CLOSE_WRITE, DELETE = 0x80, 0x8, 0x200
EVENT = struct.Struct("iIII")
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Written:
    """One version of the route file, as it was put there."""

    at: datetime
    inode: int
    version_info: str
    weights: dict[str, int]
    """By cluster, without those that get nothing."""


@dataclass(frozen=True)
class Seen:
    """Envoy at one moment: weights in force and, by cluster, instances and requests so far."""

    at: datetime
    weights: dict[str, int]
    healthy: dict[str, int]
    requests: dict[str, int]

    @property
    def carrying(self) -> int:
        """Ready instances of the versions that get traffic."""
        return sum(self.healthy.get(name, 0) for name, part in self.weights.items() if part)

    @property
    def worth(self) -> float:
        """How many instances' worth of the whole load the split carries: its weakest side decides.

        Weights are whole percents: a side may look one percent busier than its instances are.
        """
        busy = {name: max(1, part - 1) if part < 100 else 100 for name, part in self.parts.items()}
        return min((100 * self.healthy.get(k, 0) / part for k, part in busy.items()), default=0.0)

    @property
    def parts(self) -> dict[str, int]:
        """Weights without those that are 0."""
        return {name: part for name, part in self.weights.items() if part}


class Thread:
    """Something that looks again and again, in a thread of its own, until the block ends."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._trouble: BaseException | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Look no more; raise what stopped it before."""
        self._over.set()
        self._thread.join()
        if self._trouble is not None and error is None:
            raise self._trouble

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self.look()
        except BaseException as trouble:  # noqa: BLE001 -- raised where the block ends
            self._trouble = trouble

    def look(self) -> None:
        """Look once; called again and again."""
        raise NotImplementedError


class Renames(Thread):
    """Every version of a file that is put in its place, counted by the kernel (inotify)."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._inotify = int(LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        events = MOVED_TO | CLOSE_WRITE | DELETE
        watch = LIBC.inotify_add_watch(self._inotify, os.fsencode(file.parent), events)
        if self._inotify < 0 or watch < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Look no more."""
        super().__exit__(kind, error, at)
        os.close(self._inotify)

    def look(self) -> None:
        """Wait a moment for the kernel to tell of something."""
        if not select.select([self._inotify], [], [], 0.05)[0]:
            return
        happened, place = os.read(self._inotify, 65536), 0
        while place < len(happened):
            _, _, _, length = EVENT.unpack_from(happened, place)
            name = happened[place + EVENT.size : place + EVENT.size + length].rstrip(b"\0")
            place += EVENT.size + length
            if os.fsdecode(name) == self._file.name:
                self.put()

    def put(self) -> None:
        """The file is there anew."""
        raise NotImplementedError


class RouteFile(Renames):
    """Every version of the route file: who wrote it, and the weights in it."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.versions: list[Written] = []

    def put(self) -> None:
        """Read it at once."""
        self.versions.append(read_routes(self._file))


class MarkFile(Renames):
    """Every mark that stood beside supervisord's socket while its instances were started."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.marks: list[str] = []

    def put(self) -> None:
        """Read it at once."""
        with suppress(FileNotFoundError):
            self.marks.append(self._file.read_text().strip().strip('"'))


def read_routes(file: Path) -> Written:
    """The route file as it stands: who wrote it, and the weights of its first split."""
    with file.open(encoding="utf-8") as opened:
        inode, document = os.fstat(opened.fileno()).st_ino, json.load(opened)
    (host,) = document["resources"][0]["virtual_hosts"]
    clusters = host["routes"][0]["route"]["weighted_clusters"]["clusters"]
    weights = {one["name"]: int(one["weight"]) for one in clusters if one.get("weight")}
    return Written(datetime.now(UTC), inode, document["version_info"], weights)


class FrontDoor(Thread):
    """What Envoy says of itself, 20 times a second: health, weights in force, requests."""

    def __init__(self, admin_url: str, service: str) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self._port, self._service = int(admin_url.rpartition(":")[2]), service

    def look(self) -> None:
        """One look, and a pause."""
        with suppress(OSError, HTTPException):
            self.seen.append(look_at_envoy(self._port, self._service))
        self._over.wait(EVERY_S)


def look_at_envoy(port: int, service: str) -> Seen:
    """One look, with the weights first: whoever gets traffic is counted after that was known."""
    weights = envoy_admin.weights(port, service)
    counted = rf"cluster\.{service}-.*\.(membership_healthy|upstream_rq_total)"
    healthy: dict[str, int] = {}
    requests: dict[str, int] = {}
    for name, value in envoy_admin.stats(port, counted).items():
        _, cluster, counter = name.split(".")
        (healthy if counter == "membership_healthy" else requests)[cluster] = int(value)
    return Seen(datetime.now(UTC), weights, healthy, requests)


class Processes:
    """supervisord's own log: which instances it started and stopped since this was made.

    An instance is named by version and place, `v1.0`: its port differs between worlds.
    """

    SAYS = re.compile(r"INFO (spawned|stopped|exited): '?\w+?-([\w.]+)_(\d+)'?")

    def __init__(self, log: Path) -> None:
        self._log, self._from = log, log.stat().st_size
        self._first = self._first_ports()

    def events(self) -> list[tuple[str, str]]:
        """(spawned | ended, instance), oldest first."""
        found: list[tuple[str, str]] = []
        for what, version, port in self._lines(self._from):
            place = int(port) - self._first[version]
            found.append(("spawned" if what == "spawned" else "ended", f"{version}.{place}"))
        return found

    def _first_ports(self) -> dict[str, int]:
        first: dict[str, int] = {}
        for _, version, port in self._lines(0):
            first[version] = min(int(port), first.get(version, int(port)))
        return first

    def _lines(self, since: int) -> list[tuple[str, str, str]]:
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(since)
            return [(one[1], one[2], one[3]) for one in self.SAYS.finditer(log.read())]


class Distributor(Thread):
    """Carries the route file to where Envoy reads it, late: as a mounted ConfigMap is."""

    def __init__(self, written: Path, read: Path) -> None:
        super().__init__()
        self.may_carry = threading.Event()
        self._written, self._read = written, read
        self._carried = written.stat().st_ino

    def look(self) -> None:
        """Carry the file over if it may be carried and is new."""
        there = self._written.stat().st_ino
        if there != self._carried and self.may_carry.is_set():
            copy(self._written, self._read)
            self._carried = there
        self._over.wait(0.02)


def copy(source: Path, target: Path) -> None:
    """A whole new file in the place of the old one."""
    beside = target.with_name(f".{target.name}.carried")
    beside.write_bytes(source.read_bytes())
    beside.replace(target)
