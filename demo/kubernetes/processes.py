"""Pods that serve: a process for each, on a loopback address of its own, where containers would be.

The address is the pod's IP with 127 for its 10: Linux has all of 127.0.0.0/8 without being asked.
"""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.kubernetes.api import Object
from demo.processes import Children

CONNECT_S = 0.2
END_S = 2.0


def address_of(ip: str) -> str:
    """Where a process serves in the name of the pod with this IP."""
    return f"127{ip.removeprefix('10')}"


class PodProcesses:
    """One process for each pod, until the block ends; what it prints is in `folder`.

    command: the words that serve a pod at an address, on `port`.
    """

    def __init__(
        self, folder: Path, command: Callable[[Object, str], Sequence[str]], port: int
    ) -> None:
        self._children = Children(folder)
        self._command = command
        self._port = port
        self._started: set[str] = set()

    def __enter__(self) -> Self:
        """Nothing runs before the first pod."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """TERM to all, KILL to what is left."""
        self._children.end(END_S, lambda: None)

    def pids(self) -> dict[str, int]:
        """Those that run, by namespace.name of their pod."""
        return self._children.pids()

    def serves(self, pod: Object, ip: str) -> bool:
        """Have it run, once; whether it takes connections."""
        name, address = _name(pod), address_of(ip)
        if name not in self._started:
            self._started.add(name)
            self._children.start(name, self._command(pod, address))
        if name not in self._children.pids():
            return False
        with socket.socket() as probe:
            probe.settimeout(CONNECT_S)
            return probe.connect_ex((address, self._port)) == 0

    def gone(self, pod: Object) -> bool:
        """Have it end; whether it has."""
        return self._children.terminate(_name(pod))


def _name(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}.{pod['metadata']['name']}"
