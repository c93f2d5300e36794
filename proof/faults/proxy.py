"""A proxy that forwards a request and then loses, resets, holds back or cuts the answer.

It stands between a worker and Envoy's admin port, supervisord's socket and Temporal. Nothing in the
product knows of it. A worker of the proof says over the control socket what the next request that
matches will meet; all others pass through.
"""

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Self

CHUNK = 65_536
LATE_S = 6.0
"""Above the 5 s that our clients wait for an answer."""
SLOW_S = 1.0
CUT_S = 0.3
RESETS = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends a reset instead of an orderly end."""


class Loss(StrEnum):
    """What a request meets. All but `request` reach the server and have their effect there."""

    REQUEST = "request"
    ANSWER = "answer"
    RESET = "reset"
    LATE = "late"
    SLOW = "slow"
    CUT = "cut"
    """Whatever is open now: answers are discarded for a moment, then every connection is reset."""


class _Passing:
    """One connection of a client, and ours to the server for it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.meets: Loss | None = None

    def reset(self) -> None:
        """End both sides at once."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError, AttributeError):
                side.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, RESETS
                )
            side.transport.abort()


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Proxy:
    """One server seen through a proxy; `serve` is the callback of asyncio's servers."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._waiting: list[tuple[Loss, re.Pattern[bytes]]] = []
        self._open: set[_Passing] = set()
        self.lost = 0

    def arm(self, loss: Loss, matching: str) -> None:
        """The next request in which the pattern is found meets that; `cut` is done at once."""
        self._waiting.append((loss, re.compile(matching.encode())))

    def disarm(self) -> None:
        """Nothing waits to be met any more; what passes now, passes."""
        self._waiting.clear()

    async def cut(self) -> None:
        """Discard what the server says for a moment, then reset every connection."""
        self.lost += 1
        now_open = list(self._open)
        for one in now_open:
            one.meets = Loss.CUT
        await asyncio.sleep(CUT_S)
        for one in now_open:
            one.reset()

    async def serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Pass on until either side ends."""
        try:
            answers, server = await self._connect()
        except OSError:
            client.transport.abort()
            return
        one = _Passing(client, server)
        self._open.add(one)
        ways = [self._up(reader, one), self._down(answers, one)]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(one)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for side in (client, server):
                side.close()

    async def _up(self, reader: asyncio.StreamReader, one: _Passing) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                loss = self._met(chunk)
                if loss is Loss.REQUEST:
                    one.reset()
                    return
                one.meets = one.meets or loss
                one.server.write(chunk)
                await one.server.drain()

    async def _down(self, answers: asyncio.StreamReader, one: _Passing) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await answers.read(CHUNK):
                match one.meets:
                    case Loss.ANSWER:
                        return
                    case Loss.RESET:
                        one.reset()
                        return
                    case Loss.CUT:
                        continue
                    case Loss.LATE | Loss.SLOW as held:
                        await asyncio.sleep(LATE_S if held is Loss.LATE else SLOW_S)
                        one.meets = None
                one.client.write(chunk)
                await one.client.drain()

    def _met(self, chunk: bytes) -> Loss | None:
        for number, (loss, matching) in enumerate(self._waiting):
            if matching.search(chunk):
                del self._waiting[number]
                self.lost += 1
                return loss
        return None


class Proxies:
    """Several proxies by name, and the control socket over which they are told what to lose."""

    def __init__(self, control: Path) -> None:
        self.control = control
        self._named: dict[str, Proxy] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen on the control socket."""
        await self._listen(await asyncio.start_unix_server(self._obey, self.control))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all of them."""
        await self._stack.aclose()

    @property
    def lost(self) -> int:
        """Requests and answers that met something so far, at all of them."""
        return sum(proxy.lost for proxy in self._named.values())

    def disarm(self) -> None:
        """What was not met is forgotten, at all of them."""
        for proxy in self._named.values():
            proxy.disarm()

    async def before_socket(self, name: str, at: Path, real: Path) -> None:
        """A Unix socket at `at` for the one at `real`."""
        proxy = self._named[name] = Proxy(lambda: asyncio.open_unix_connection(real))
        await self._listen(await asyncio.start_unix_server(proxy.serve, at))

    async def before_port(self, name: str, real: int) -> int:
        """A port on loopback for that one; its number."""
        proxy = self._named[name] = Proxy(lambda: asyncio.open_connection("127.0.0.1", real))
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        await self._listen(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _listen(self, server: asyncio.Server) -> None:
        self._stack.callback(server.close)

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        proxy, loss = self._named[asked["proxy"]], Loss(asked["loss"])
        if loss is Loss.CUT:
            writer.write(b"ok\n")
            await writer.drain()
            await proxy.cut()
        else:
            proxy.arm(loss, asked["matching"])
            writer.write(b"ok\n")
            await writer.drain()
        writer.close()


def ask(control: Path, proxy: str, loss: Loss, matching: str = "") -> None:
    """Tell the proxies, from a worker's thread, what the next such request is to meet."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(control))
        asked = {"proxy": proxy, "loss": loss, "matching": matching}
        connection.sendall(json.dumps(asked).encode() + b"\n")
        connection.recv(16)
