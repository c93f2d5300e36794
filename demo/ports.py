"""Ports of one world: a block that no other world on this machine takes."""

import random
import socket
from pathlib import Path

from demo.errors import WorldError

BLOCK = 64
"""Ports in a block: front door, admin and a dozen versions of four instances."""
LOWEST = 15_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
TRIES = 50
IANA = 49_152


class PortBlock:
    """Consecutive free ports on loopback, handed out in order and ours until `close`.

    They lie below the ephemeral range: there, an outgoing connection may sit on the port of an
    instance that starts later, and a health check of a closed port may connect to itself. The
    first port stays bound, which keeps other worlds out of the block, started or not.
    """

    def __init__(self) -> None:
        for _ in range(TRIES):
            first = random.randrange(LOWEST, _first_ephemeral() - BLOCK, BLOCK)  # noqa: S311
            if (lock := _bound(first, shared=False)) is None:
                continue
            if all(is_free(port) for port in range(first + 1, first + BLOCK)):
                self._lock, self._next, self._end = lock, first + 1, first + BLOCK
                return
            lock.close()
        raise WorldError(f"no {BLOCK} consecutive free ports on 127.0.0.1 in {TRIES} tries")

    def take(self, count: int = 1) -> int:
        """The first of `count` consecutive ports that nobody else was given."""
        first = self._next
        if first + count > self._end:
            raise WorldError(f"the {BLOCK} ports of this world are used up")
        self._next = first + count
        return first

    def close(self) -> None:
        """Let others have the block."""
        self._lock.close()


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    if (probe := _bound(port, shared=True)) is None:
        return False
    probe.close()
    return True


def _bound(port: int, *, shared: bool) -> socket.socket | None:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As servers do: connections of the past do not count. But two such may bind the same port.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shared)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return None
    return probe


def _first_ephemeral() -> int:
    """The end of the ports that outgoing connections leave alone; IANA's if that leaves none."""
    try:
        first = int(EPHEMERAL.read_text().split()[0])
    except OSError:  # not Linux
        return IANA
    return first if first >= LOWEST + TRIES * BLOCK else IANA
