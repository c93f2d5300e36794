"""The embedded Temporal, run for real: ready, on loopback, alone on its file, back after death."""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError
from temporalio.worker import Worker

from rollback_manager.errors import PermanentError, Unreachable
from workers import temporal_process
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer

ATTRIBUTES = {"RollbackEnv": "Keyword", "RollbackServices": "KeywordList"}
ENV = SearchAttributeKey.for_keyword("RollbackEnv")


@workflow.defn(sandboxed=False)
class FiveShortWaits:
    @workflow.run
    async def run(self) -> None:
        for _ in range(5):
            await workflow.sleep(0.01)


@pytest.fixture(scope="session")
async def binary() -> Path:
    return (await find_binary(print)).path


@pytest.fixture
async def server(
    binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TemporalServer]:
    """To be disturbed. It is ended at once: that one ends in peace has a test of its own."""
    async with server_in(tmp_path, binary) as started:
        yield started
        monkeypatch.setattr(temporal_process, "ENDS_WITHIN_S", 0)


@pytest.fixture(scope="module")
async def undisturbed(
    binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[TemporalServer, Path]]:
    """One for all tests that only look, and its folder."""
    folder = tmp_path_factory.mktemp("temporal")
    async with server_in(folder, binary) as started:
        yield started, folder


def server_in(
    folder: Path,
    binary: Path,
    *,
    port: int | None = None,
    attributes: Mapping[str, str] = ATTRIBUTES,
) -> TemporalServer:
    database = folder / "temporal.db"
    log = folder / "temporal.log"
    return TemporalServer(binary, database, port, None, log, search_attributes=attributes)


async def start_a_workflow(server: TemporalServer) -> Client:
    """One that no worker carries out, so that it stays open."""
    client = await Client.connect(server.address)
    here = TypedSearchAttributes([SearchAttributePair(ENV, "prod")])
    await client.start_workflow(
        "Anything", id="rollback/prod/1", task_queue="nobody", search_attributes=here
    )
    return client


@contextlib.asynccontextmanager
async def kept_alive(server: TemporalServer, *, patience_s: float = 10) -> AsyncIterator[list[str]]:
    told: list[str] = []
    task = asyncio.create_task(server.keep_alive(told.append, every_s=0.2, patience_s=patience_s))
    try:
        yield told
    finally:  # or it would bring back a server that a failed test has stopped
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def listening_sockets(pid: int) -> list[list[str]]:
    """`[address, port]` of each, both in the kernel's hexadecimal."""
    links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    own = {link.removeprefix("socket:[").rstrip("]") for link in links}
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return [row[1].split(":") for row in rows if row[3] == "0A" and row[9] in own]


async def test_it_answers_queries_on_our_attributes_as_soon_as_it_is_ready(
    undisturbed: tuple[TemporalServer, Path],
) -> None:
    server, _ = undisturbed
    client = await Client.connect(server.address)
    query = 'RollbackEnv = "prod" AND RollbackServices = "shop"'
    assert (await client.count_workflows(query)).count == 0


async def test_finished_rollbacks_are_kept_for_thirty_days(
    undisturbed: tuple[TemporalServer, Path],
) -> None:
    server, _ = undisturbed
    client = await Client.connect(server.address)
    answer = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace="default")
    )
    kept = answer.config.workflow_execution_retention_ttl.ToTimedelta()
    assert kept == timedelta(days=30)


async def test_short_timers_are_short(undisturbed: tuple[TemporalServer, Path]) -> None:
    """Without our settings each takes a second, and every test of waiting too."""
    server, _ = undisturbed
    client = await Client.connect(server.address)
    clock = asyncio.get_running_loop().time
    async with Worker(client, task_queue="here", workflows=[FiveShortWaits]):
        began = clock()
        await client.execute_workflow(FiveShortWaits.run, id="waits", task_queue="here")
        assert clock() - began < 4.5


async def test_its_database_writes_ahead(undisturbed: tuple[TemporalServer, Path]) -> None:
    _, folder = undisturbed
    with contextlib.closing(sqlite3.connect(folder / "temporal.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_it_listens_on_loopback_alone(
    undisturbed: tuple[TemporalServer, Path],
) -> None:
    server, _ = undisturbed
    listening = listening_sockets(server.pid)
    ports = {int(port, 16) for _, port in listening}
    assert {address for address, _ in listening} == {"0100007F"}  # 127.0.0.1
    assert {int(server.address.split(":")[1]), int(server.ui_url.split(":")[2])} <= ports


async def test_a_killed_server_comes_back_with_its_workflows(server: TemporalServer) -> None:
    client = await start_a_workflow(server)
    address, first_pid = server.address, server.pid
    async with kept_alive(server) as told:
        os.kill(first_pid, signal.SIGKILL)
        await until(lambda: server.restarts == 1)
    assert server.address == address
    assert server.pid != first_pid
    found = await client.get_workflow_handle("rollback/prod/1").describe()
    assert found.status is WorkflowExecutionStatus.RUNNING
    assert (await client.count_workflows('RollbackEnv = "prod"')).count == 1
    assert "ended with code -9" in told[0]
    assert "restart 1" in told[1]


async def probed(server: TemporalServer) -> None:
    """Until it is replaced; the first answer of a stopped one may have been on its way."""
    while server.restarts == 0:
        await server.probe(deadline_s=0.3)


async def test_a_server_that_no_longer_answers_is_replaced(
    server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_process, "ENDS_WITHIN_S", 0.3)
    async with kept_alive(server, patience_s=0.5) as told:
        os.kill(server.pid, signal.SIGSTOP)  # alive, its port open, no answers
        with pytest.raises(Unreachable):
            await probed(server)
        await until(lambda: server.restarts == 1)
    await server.probe()
    assert "gave no answer" in told[0]


async def test_a_server_whose_database_calls_all_fail_is_replaced(
    server: TemporalServer, tmp_path: Path
) -> None:
    """Alive, its port open; so it was once found after a cancelled query (decision 25)."""
    with contextlib.closing(
        sqlite3.connect(tmp_path / "temporal.db", isolation_level=None)
    ) as database:
        async with kept_alive(server, patience_s=0.5) as told:
            database.execute("ALTER TABLE namespaces RENAME TO elsewhere")
            await until(lambda: bool(told))
            database.execute("ALTER TABLE elsewhere RENAME TO namespaces")
            await until(lambda: server.restarts == 1)
    await server.probe()
    assert "no such table" in told[0]


async def test_a_restart_that_fails_is_told_and_tried_again(
    server: TemporalServer, binary: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    server._binary = broken
    broken.write_text("#!/bin/sh\necho no space left >&2\nexit 3\n")
    broken.chmod(0o755)
    async with kept_alive(server) as told:
        os.kill(server.pid, signal.SIGKILL)
        await until(lambda: len(told) >= 2)
        server._binary = binary
        await until(lambda: server.restarts == 1)
    assert "no space left" in told[1]


async def test_a_second_server_on_the_same_file_is_refused_by_name(
    server: TemporalServer, binary: Path, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match=f"pid {server.pid}, started by pid {os.getpid()}"):
        await server_in(tmp_path, binary).start()
    await server.probe()


async def test_a_stopped_server_leaves_its_file_and_no_process(
    binary: Path, tmp_path: Path
) -> None:
    async with server_in(tmp_path, binary) as first:
        pid = first.pid
        await start_a_workflow(first)
    assert not is_alive(pid)
    async with server_in(tmp_path, binary) as second:
        client = await Client.connect(second.address)
        assert (await client.count_workflows('RollbackEnv = "prod"')).count == 1


async def test_an_attribute_of_a_later_version_is_added_to_an_old_file(
    binary: Path, tmp_path: Path
) -> None:
    async with server_in(tmp_path, binary, attributes={"RollbackEnv": "Keyword"}) as first:
        client = await Client.connect(first.address)
        with pytest.raises(RPCError, match="RollbackServices"):
            await client.count_workflows('RollbackServices = "shop"')
    async with server_in(tmp_path, binary) as second:
        client = await Client.connect(second.address)
        assert (await client.count_workflows('RollbackServices = "shop"')).count == 0


async def test_a_port_that_is_taken_is_named(binary: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PermanentError, match=f"Port {port}"):
            await server_in(tmp_path, binary, port=port).start()


async def test_a_free_port_that_somebody_took_first_is_replaced(
    binary: Path, tmp_path: Path
) -> None:
    """The server's own words: what went wrong stands at the end of a line of 2,000 characters."""
    slow = tmp_path / "slow"
    said = f'{{"msg":"failed starting server: {"could not build; " * 120}address already in use"}}'
    slow.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/tried ] && exec {binary} "$@"\n'
        f"touch {tmp_path}/tried; echo '{said}' >&2; exit 1\n"
    )
    slow.chmod(0o755)
    async with server_in(tmp_path, slow) as server:
        await server.probe()
    assert (tmp_path / "tried").exists(), "the first port was never refused"


async def test_a_server_that_dies_at_its_start_is_quoted(binary: Path, tmp_path: Path) -> None:
    wrong = {"RollbackEnv": "Keywrod"}
    log = tmp_path / "log"
    server = TemporalServer(binary, None, None, None, log, search_attributes=wrong)
    with pytest.raises(PermanentError, match="Keywrod"):
        await server.start()
    assert server.pid == 0


@pytest.mark.skipif(not temporal_process._ends_with_us(), reason="setpriv is Linux's")
async def test_it_ends_with_a_killed_parent(binary: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(binary), str(tmp_path)]
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not is_alive(pid))


PARENT = """
import asyncio, sys
from pathlib import Path
from workers.temporal_server import TemporalServer

async def main(binary, folder):
    server = TemporalServer(binary, folder / "db", None, None, folder / "log", search_attributes={})
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*map(Path, sys.argv[1:])))
"""
