"""The proxy forwards, and loses exactly what it was told to lose."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proof.faults.proxy import Loss, Proxies, ask


class Server:
    """Answers each line with the number of lines so far."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.asked.append(line)
            writer.write(f"{len(self.asked)}\n".encode())
        writer.close()


class Between:
    """A server, and a proxy before it."""

    def __init__(self, server: Server, proxies: Proxies, port: int) -> None:
        self.server, self.proxies, self._port = server, proxies, port
        self.control = proxies.control

    async def asked(self, line: bytes) -> bytes:
        """The answer as a client gets it; empty if the connection ended instead."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(line)
        try:
            return await asyncio.wait_for(reader.readline(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def lose(self, loss: Loss, matching: str = "") -> None:
        """Over the control socket, as a worker does."""
        await asyncio.to_thread(ask, self.control, "it", loss, matching)


@pytest.fixture
async def between(tmp_path: Path) -> AsyncIterator[Between]:
    server = Server()
    real = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with real, Proxies(tmp_path / "control") as proxies:
        port = await proxies.before_port("it", real.sockets[0].getsockname()[1])
        yield Between(server, proxies, port)


async def test_what_is_not_to_be_lost_passes(between: Between) -> None:
    assert await between.asked(b"a\n") == b"1\n"


async def test_a_lost_request_never_arrives(between: Between) -> None:
    await between.lose(Loss.REQUEST, "a")
    assert await between.asked(b"a\n") == b""
    assert between.server.asked == []


@pytest.mark.parametrize("loss", [Loss.ANSWER, Loss.RESET])
async def test_a_lost_answer_is_that_of_a_request_that_arrived(
    between: Between, loss: Loss
) -> None:
    await between.lose(loss, "a")
    assert await between.asked(b"a\n") == b""
    assert between.server.asked == [b"a\n"]


async def test_only_a_request_that_matches_is_met_and_only_once(between: Between) -> None:
    await between.lose(Loss.ANSWER, "b")
    answers = [await between.asked(line) for line in (b"a\n", b"b\n", b"b\n")]
    assert answers == [b"1\n", b"", b"3\n"]


async def test_what_was_not_met_is_forgotten(between: Between) -> None:
    await between.lose(Loss.ANSWER, "b")
    between.proxies.disarm()
    assert await between.asked(b"b\n") == b"1\n"
    assert between.proxies.lost == 0


async def test_a_slow_answer_comes(between: Between) -> None:
    await between.lose(Loss.SLOW, "a")
    assert await between.asked(b"a\n") == b"1\n"


async def test_a_cut_resets_what_is_open_and_nothing_later(between: Between) -> None:
    waiting = asyncio.create_task(between.asked(b"no end of line"))
    while not between.control.exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    await between.lose(Loss.CUT)
    assert await waiting == b""
    assert await between.asked(b"a\n") != b""
