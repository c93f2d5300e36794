"""A deployer's line to supervisord: XML-RPC over its Unix socket."""

import http.client
import socket
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

TIMEOUT_S = 5.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Open the socket instead of a network connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, without the package that supervisord itself comes in."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        """One connection for the proxy's calls, whatever `host` its address names."""
        connection = self._connection[1]
        if connection is None:
            connection = UnixConnection(self._path)
            self._connection = (str(host), connection)
        return connection


@contextmanager
def supervisor(path: Path) -> Iterator[xmlrpc.client.ServerProxy]:
    """A new proxy for a few calls: one whose first try failed would stay broken."""
    with xmlrpc.client.ServerProxy("http://localhost", transport=UnixTransport(path)) as proxy:
        yield proxy


class State(NamedTuple):
    """What supervisord knows of one process."""

    name: str
    """STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN."""
    pid: int
    """0 while there is none."""


def states(path: Path) -> dict[str, State]:
    """The state of every process, by its name without the group.

    Raises:
        OSError, http.client.HTTPException: supervisord does not answer.
        xmlrpc.client.Fault: it is about to end.
    """
    with supervisor(path) as proxy:
        shown = proxy.supervisor.getAllProcessInfo()
    processes = cast("list[dict[str, str | int]]", shown)  # XML-RPC has no schema
    return {str(one["name"]): State(str(one["statename"]), int(one["pid"])) for one in processes}


def answers(path: Path) -> bool:
    """Whether supervisord answers and is not about to end; asking also wakes it up."""
    try:
        states(path)
    except (OSError, http.client.HTTPException, xmlrpc.client.Fault):
        return False
    return True
