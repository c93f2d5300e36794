"""The load itself, run by path: `python load_sender.py --url U --rate 250 --out FILE.jsonl`.

An open loop: requests go out at fixed times, whatever becomes of the earlier ones. A stalled server
does not slow it down, as it would not slow users down; it gets more connections instead. It needs
the standard library alone, and a tenth of a core for 300 requests per second.

A line of the file is one request, in the order of the answers: `at` (sent; seconds since 1970),
`ms`, and either `status` with `version` (the answer's x-version, if any) or `failed`: *refused*,
*reset*, *timeout*, or *unsent* (a limit of this machine).
"""

import argparse
import asyncio
import errno
import json
import resource
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

TICK_S = 0.1
"""Between two writes to the file, and two looks for requests that took too long."""
LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL})
"""What keeps a request from being sent at all: no user would have met it."""


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request in flight."""

    def __init__(self, answered: "Callable[[Connection, dict[str, object]], None]") -> None:
        self._answered = answered
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.sent_at = 0.0
        self._sent_mono = 0.0
        self.busy = False

    def begin(self) -> None:
        """Note the moment that latency is counted from: also connecting is waiting."""
        self.sent_at, self._sent_mono = time.time(), time.monotonic()
        self.busy = True

    def send(self, request: bytes) -> None:
        """Put the request on the connection."""
        self._received = b""
        if self._transport:
            self._transport.write(request)

    def age_s(self) -> float:
        """How long the request in flight has been under way."""
        return time.monotonic() - self._sent_mono

    def end(self, **outcome: object) -> None:
        """Report the outcome of the request in flight, once."""
        if not self.busy:
            return
        self.busy = False
        at, ms = round(self.sent_at, 4), round(self.age_s() * 1000, 2)
        self._answered(self, {"at": at, "ms": ms, **outcome})

    def close(self) -> None:
        """Give the connection up."""
        if self._transport:
            self._transport.abort()

    def usable(self) -> bool:
        """Whether another request could be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the connection that the event loop made."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"not a stream: {transport!r}")
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect the answer, whose length a header tells; when it is whole, report it."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if len(body) >= int(headers.get("content-length", 0)):
            if headers.get("connection") == "close":
                self.close()
            version = headers.get("x-version")
            self.end(status=int(status.split(" ")[1]), **({"version": version} if version else {}))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever closes with a request in flight leaves a user without an answer."""
        self.end(failed="reset")


class Sender:
    """Sends one request each `1 / rate` seconds and keeps what became of it."""

    def __init__(self, url: str, rate: float, out: Path, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._request = f"GET {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode()
        self._interval_s, self._timeout_s = 1 / rate, timeout_s
        self._out = out
        self._outcomes: list[dict[str, object]] = []
        self._idle: deque[Connection] = deque()
        self._in_flight: dict[Connection, None] = {}  # in the order of sending
        self._connecting: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()

    async def run(self, connections: int) -> None:
        """Send until TERM or Ctrl-C, then wait for the answers still to come."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        await self._warm_up(connections)
        ticking = asyncio.create_task(self._tick())
        first, sent = loop.time(), 0
        while not ended.is_set():
            while first + sent * self._interval_s <= loop.time():  # after a hiccup: catch up
                self._send()
                sent += 1
            await asyncio.sleep(max(0, first + sent * self._interval_s - loop.time()))
        if self._in_flight:
            self._settled.clear()
            await self._settled.wait()
        ticking.cancel()
        self._flush()

    async def _warm_up(self, connections: int) -> None:
        """Open the first connections, so that their making is no user's latency."""
        for _ in range(connections):
            connection = Connection(self._answered)
            try:
                await self._connect(connection)
            except OSError:
                return  # the requests will tell
            self._idle.append(connection)

    async def _connect(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, self._host, self._port)

    def _send(self) -> None:
        connection = self._next_idle()
        if connection:
            self._in_flight[connection] = None
            connection.begin()
            connection.send(self._request)
            return
        connection = Connection(self._answered)
        self._in_flight[connection] = None
        connection.begin()
        task = asyncio.create_task(self._connect_and_send(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _next_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.popleft()
            if connection.usable():
                return connection
        return None

    async def _connect_and_send(self, connection: Connection) -> None:
        try:
            await self._connect(connection)
        except OSError as error:
            refused = isinstance(error, ConnectionRefusedError)
            unsent = error.errno in LIMITS
            connection.end(failed="unsent" if unsent else "refused" if refused else "reset")
            return
        if connection.busy:
            connection.send(self._request)
        else:
            connection.close()  # it had timed out meanwhile

    def _answered(self, connection: Connection, outcome: dict[str, object]) -> None:
        self._in_flight.pop(connection, None)
        if not self._in_flight:
            self._settled.set()
        self._outcomes.append(outcome)
        if connection.usable():
            self._idle.append(connection)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._give_up()
            self._flush()

    def _give_up(self) -> None:
        for connection in list(self._in_flight):
            if connection.age_s() < self._timeout_s:
                return  # all others are younger
            connection.close()
            connection.end(failed="timeout")

    def _flush(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            with self._out.open("a") as out:
                out.write("".join(f"{json.dumps(outcome)}\n" for outcome in outcomes))


def main() -> None:
    """Send until TERM."""
    parser = argparse.ArgumentParser(description="requests at a fixed rate, one line for each")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=250.0, help="requests per second")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--timeout-s", type=float, default=12.0)
    parser.add_argument("--connections", type=int, default=8, help="open before the first request")
    options = parser.parse_args()
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != most:  # a stall of 10 s at 300/s needs 3,000 connections
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    sender = Sender(options.url, options.rate, options.out, options.timeout_s)
    asyncio.run(sender.run(options.connections))


if __name__ == "__main__":
    main()
