"""Workloads at a real supervisord with real instances."""

import os
import shlex
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import httpx
import pytest

from activities.integrations.supervisord import Supervisord, rpc
from activities.integrations.supervisord.processes import digests, instances
from activities.targets import Workloads
from demo.world import World
from rollback_manager.errors import (
    NotFound,
    PermanentError,
    StaleWrite,
    TemporaryError,
    Unreachable,
)
from rollback_manager.operation import Mark
from rollback_manager.platforms import SupervisordTarget

PYTHON = shlex.quote(sys.executable)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=httpx.Timeout(5, connect=2), trust_env=False) as one:
        yield one


@pytest.fixture
def target(world: World) -> SupervisordTarget:
    return SupervisordTarget(kind="supervisord", socket=str(world.socket), program="shop")


@pytest.fixture
def supervisord(world: World, target: SupervisordTarget, client: httpx.Client) -> Supervisord:
    """Each test begins with two instances of v1 and of v2 and without a mark."""
    Path(world.folder, "shop.mark.json").unlink(missing_ok=True)
    assert within(5, lambda: not stopping(world))  # one that stops cannot be started
    for version in ("v1", "v2"):
        world.scale(version, 2)
    return Supervisord(target, client)


def mark(epoch: int, step: int) -> Mark:
    return Mark(op_id=f"{epoch:08x}{step:08x}", epoch=epoch, step=step)


def within(timeout_s: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def has(role: Workloads, version: str, running: int, ready: int) -> bool:
    state = role.versions()[version]
    return (state.running, state.ready) == (running, ready)


def stopping(world: World) -> bool:
    found = rpc.Rpc(str(world.socket)).call("getAllProcessInfo")
    return any(one["statename"] == "STOPPING" for one in found)


def add_program(world: World, version: str, command: str, options: str = "") -> None:
    """A program beside the shop's versions, as a deployer brings it up: stopped."""
    lines = f"""
[program:shop-{version}]
command={command}
process_name=%(program_name)s_%(process_num)d
numprocs=1
numprocs_start=1
autostart=false
startsecs=0
{options}
"""
    (world.folder / "conf.d" / f"shop-{version}.conf").write_text(lines)
    line = rpc.Rpc(str(world.socket))
    line.call("reloadConfig")
    line.call("addProcessGroup", f"shop-{version}")


def remove_program(world: World, version: str) -> None:
    line = rpc.Rpc(str(world.socket))
    line.call("stopProcessGroup", f"shop-{version}")
    line.call("removeProcessGroup", f"shop-{version}")
    (world.folder / "conf.d" / f"shop-{version}.conf").unlink()
    line.call("reloadConfig")


# Looking


def test_versions_are_the_groups_of_the_program(supervisord: Supervisord) -> None:
    found = supervisord.versions()
    assert sorted(found) == ["v1", "v2"]
    assert [(one.running, one.ready, one.maximum) for one in found.values()] == [(2, 2, 4)] * 2


def test_each_instance_that_nobody_stopped_is_told_also_a_dead_one(
    world: World, supervisord: Supervisord
) -> None:
    add_program(world, "v9", f"{PYTHON} -c pass", "autorestart=false")
    try:
        line = rpc.Rpc(str(world.socket))
        line.call("startProcess", "shop-v9:shop-v9_1", False)
        assert within(5, lambda: any(one.version == "v9" for one in supervisord.instances()))
        assert within(5, lambda: died(world, "shop-v9_1"))
        found = {one.name: one for one in supervisord.instances()}
    finally:
        remove_program(world, "v9")
    assert {one.version: one.ready for one in found.values()} == {
        "v1": True,
        "v2": True,
        "v9": False,
    }
    assert len(found) == 5, "two of v1, two of v2, and the dead one; no stopped one"
    dead = found.pop("shop-v9:shop-v9_1")
    assert dead.started_at is None
    for one in found.values():
        assert one.started_at is not None
        assert abs(one.started_at.timestamp() - time.time()) < 300
        assert httpx.get(f"{one.address}/ready", trust_env=False).status_code == 200


def died(world: World, name: str) -> bool:
    found = rpc.Rpc(str(world.socket)).call("getAllProcessInfo")
    return any(one["name"] == name and one["statename"] == "EXITED" for one in found)


def test_an_instance_that_runs_but_does_not_say_ready_is_not_ready(
    world: World, supervisord: Supervisord
) -> None:
    world.add_version("late", instances=0, warm_up_s=1)
    supervisord.scale("late", 1, mark(1, 1))
    assert within(2, lambda: has(supervisord, "late", running=1, ready=0))
    assert within(5, lambda: has(supervisord, "late", running=1, ready=1))
    supervisord.scale("late", 0, mark(1, 2))


def test_another_ready_path_is_asked(
    world: World, target: SupervisordTarget, client: httpx.Client, supervisord: Supervisord
) -> None:
    wrong = target.model_copy(update={"ready_path": "/no-such-page"})
    assert has(Supervisord(wrong, client), "v1", running=2, ready=0)


def test_an_instance_that_hangs_is_not_ready_and_delays_nobody_for_long(
    world: World, supervisord: Supervisord
) -> None:
    hung = [pid for name, pid in world.pids().items() if name.startswith("shop-v")]
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        found = supervisord.versions()
        took_s = time.monotonic() - begun
    finally:
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
    assert [(one.running, one.ready) for one in found.values() if one.running] == [(2, 0)] * 2
    assert took_s < 3.5  # all four at once, 1 s each


def test_a_digest_names_the_command_and_not_the_instance(
    world: World, supervisord: Supervisord
) -> None:
    before = {version: one.digest for version, one in supervisord.versions().items()}
    assert before["v1"] != before["v2"]
    supervisord.scale("v1", 3, mark(1, 1))
    assert {version: one.digest for version, one in supervisord.versions().items()} == before


def test_digests_of_a_command_do_not_depend_on_where_its_numbers_begin() -> None:
    def defined(first: int, command: str) -> dict[str, str]:
        rows = [
            {
                "group": "shop-v1",
                "name": f"shop-v1_{port}",
                "command": command.replace("PORT", str(port)),
                "directory": "none",
                "uid": "none",
            }
            for port in range(first, first + 3)
        ]
        return digests("shop", rows)

    here = defined(19100, "shop --port PORT --limit 191000")
    assert here["v1"].startswith("sha256:")
    assert here == defined(20500, "shop --port PORT --limit 191000")
    assert here != defined(19100, "shop --port PORT --limit 191001")


def test_versions_may_hold_dashes_dots_and_digits() -> None:
    row = {"group": "shop-v1.2-rc.3", "name": "shop-v1.2-rc.3_19101", "statename": "RUNNING"}
    (one,) = instances("shop", [row, {**row, "group": "shop"}, {**row, "group": "shopping-v1"}])[
        "v1.2-rc.3"
    ]
    assert (one.full_name, one.number) == ("shop-v1.2-rc.3:shop-v1.2-rc.3_19101", 19101)


def test_a_process_name_without_a_port_is_named_with_the_remedy() -> None:
    row = {"group": "shop-v1", "name": "shop-v1", "statename": "RUNNING"}
    with pytest.raises(PermanentError, match="shop-v1 of supervisord") as caught:
        instances("shop", [row])
    assert "%(process_num)d" in caught.value.next_step


def test_a_version_whose_definition_is_gone_has_no_digest(
    world: World, supervisord: Supervisord
) -> None:
    add_program(world, "orphan", "sleep 60")
    file = world.folder / "conf.d" / "shop-orphan.conf"
    text = file.read_text()
    file.unlink()
    rpc.Rpc(str(world.socket)).call("reloadConfig")
    assert supervisord.versions()["orphan"].digest.startswith("unknown: ")
    file.write_text(text)
    remove_program(world, "orphan")


# Scaling


def test_the_highest_numbers_are_stopped_and_the_lowest_started(
    world: World, supervisord: Supervisord
) -> None:
    def running() -> list[str]:
        return sorted(name for name in world.pids() if name.startswith("shop-v1_"))

    two = running()
    supervisord.scale("v1", 1, mark(1, 1))
    assert within(5, lambda: running() == two[:1] and not stopping(world))
    supervisord.scale("v1", 4, mark(1, 2))
    assert within(5, lambda: has(supervisord, "v1", running=4, ready=4))
    assert running()[:2] == two
    assert has(supervisord, "v2", running=2, ready=2)


def test_scaling_again_is_harmless(world: World, supervisord: Supervisord) -> None:
    for _ in range(2):
        supervisord.scale("v1", 3, mark(1, 1))
    pids = {name: pid for name, pid in world.pids().items() if name.startswith("shop-v1_")}
    supervisord.scale("v1", 3, mark(1, 2))
    assert within(5, lambda: has(supervisord, "v1", running=3, ready=3))
    assert pids.items() <= world.pids().items()


def test_a_stale_mark_is_refused_and_nothing_stops(world: World, supervisord: Supervisord) -> None:
    supervisord.scale("v1", 2, mark(7, 3))
    before = world.pids()
    for late in (mark(7, 2), mark(6, 9)):
        with pytest.raises(StaleWrite, match="epoch 7, step 3"):
            supervisord.scale("v2", 0, late)
    assert world.pids() == before


def test_the_own_mark_again_and_a_newer_one_are_accepted(supervisord: Supervisord) -> None:
    for own in (mark(7, 3), mark(7, 3), mark(7, 4), mark(8, 1)):
        supervisord.scale("v1", 2, own)
    assert has(supervisord, "v1", running=2, ready=2)


def test_a_mark_file_that_is_not_ours_stops_the_write(
    world: World, supervisord: Supervisord
) -> None:
    file = world.folder / "shop.mark.json"
    file.write_text("something else")
    with pytest.raises(PermanentError, match="holds no mark of ours"):
        supervisord.scale("v1", 0, mark(1, 1))
    file.unlink()
    assert has(supervisord, "v1", running=2, ready=2)


def test_an_unknown_version_is_refused_with_those_that_there_are(supervisord: Supervisord) -> None:
    with pytest.raises(NotFound, match=r"no group shop-v9; versions: .*v1, v2"):
        supervisord.scale("v9", 1, mark(1, 1))


@pytest.mark.parametrize("count", [-1, 5])
def test_more_instances_than_are_defined_are_refused(supervisord: Supervisord, count: int) -> None:
    with pytest.raises(PermanentError, match="its definition has 4"):
        supervisord.scale("v1", count, mark(1, 1))


def test_what_cannot_be_started_is_a_permanent_error(
    world: World, supervisord: Supervisord
) -> None:
    add_program(world, "missing", "/no/such/program")
    with pytest.raises(PermanentError, match=r"startProcess shop-missing:shop-missing_1: NO_FILE"):
        supervisord.scale("missing", 1, mark(1, 1))
    remove_program(world, "missing")


def test_an_instance_that_still_stops_is_asked_for_again_later(
    world: World, supervisord: Supervisord
) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    add_program(world, "stubborn", f"{PYTHON} -c {shlex.quote(stubborn)}", "stopwaitsecs=1")
    supervisord.scale("stubborn", 1, mark(1, 1))
    time.sleep(0.3)  # until it ignores the signal
    supervisord.scale("stubborn", 0, mark(1, 2))
    assert supervisord.versions()["stubborn"].running == 0
    with pytest.raises(TemporaryError, match="still stopping"):
        supervisord.scale("stubborn", 1, mark(1, 3))

    def started() -> bool:
        try:
            supervisord.scale("stubborn", 1, mark(1, 3))
        except TemporaryError:
            return False
        return supervisord.versions()["stubborn"].running == 1

    assert within(6, started)
    remove_program(world, "stubborn")


def test_an_instance_that_is_about_to_be_restarted_counts_as_running_and_can_be_stopped(
    world: World, supervisord: Supervisord
) -> None:
    again = "startsecs=1\nstartretries=99"
    add_program(world, "crashing", f"{PYTHON} -c 'raise SystemExit(1)'", again)
    supervisord.scale("crashing", 1, mark(1, 1))
    line = rpc.Rpc(str(world.socket))

    def state() -> Any:
        return line.call("getProcessInfo", "shop-crashing:shop-crashing_1")["statename"]

    assert within(5, lambda: state() == "BACKOFF")
    assert supervisord.versions()["crashing"].running == 1
    supervisord.scale("crashing", 0, mark(1, 2))
    assert state() == "STOPPED"
    remove_program(world, "crashing")


def test_the_lines_for_a_person_do_the_same(world: World, supervisord: Supervisord) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    lines = supervisord.by_hand("v2", 1)
    assert [line.split()[:4] for line in lines] == [
        ["supervisorctl", "-s", f"unix://{world.socket}", verb] for verb in ("start", "stop")
    ]
    for line in lines:
        subprocess.run(["/bin/sh", "-c", line], env={"PATH": path}, check=False)
    assert within(5, lambda: has(supervisord, "v2", running=1, ready=1))


# Outages


def nobody(client: httpx.Client, path: str) -> Supervisord:
    return Supervisord(SupervisordTarget(kind="supervisord", socket=path, program="shop"), client)


def test_a_supervisord_that_is_down_is_unreachable(client: httpx.Client, tmp_path: Path) -> None:
    role = nobody(client, f"{tmp_path}/s.sock")
    calls: list[Callable[[], object]] = [
        role.versions,
        lambda: role.scale("v1", 1, mark(1, 1)),
        lambda: role.by_hand("v1", 1),
    ]
    for call in calls:
        with pytest.raises(Unreachable, match="does not answer") as caught:
            call()
        assert caught.value.effect
        assert "supervisorctl" in caught.value.next_step


def test_a_supervisord_that_hangs_is_unreachable(
    world: World, supervisord: Supervisord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "READ_S", 0.2)
    pid = world.pids()["supervisord"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable, match="timed out"):
            supervisord.versions()
    finally:
        os.kill(pid, signal.SIGCONT)
    monkeypatch.undo()
    assert has(supervisord, "v1", running=2, ready=2)


class StandIn(socketserver.UnixStreamServer, SimpleXMLRPCDispatcher):
    """supervisord's protocol with two instances, for faults that come too rarely to be provoked."""

    def __init__(self, path: str, faults: dict[str, Fault]) -> None:
        SimpleXMLRPCDispatcher.__init__(self)
        socketserver.UnixStreamServer.__init__(self, path, Calls)
        self.faults = faults

    def _dispatch(self, method: str, params: object) -> Any:
        name = method.removeprefix("supervisor.")
        if name in self.faults:
            raise self.faults[name]
        if name == "tailProcessStdoutLog":
            return ["Traceback\nKeyError: 'DATABASE_URL'\n", 40, False]
        states = {7001: "STOPPED", 7002: "RUNNING"}
        return [
            {"group": "shop-v1", "name": f"shop-v1_{port}", "statename": state}
            for port, state in states.items()
        ]


class Calls(SimpleXMLRPCRequestHandler):
    disable_nagle_algorithm = False  # a Unix socket has none

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


@contextmanager
def faulty(client: httpx.Client, **faults: tuple[int, str]) -> Iterator[Supervisord]:
    made = {name: Fault(code, text) for name, (code, text) in faults.items()}
    with tempfile.TemporaryDirectory(prefix="rb-") as folder:
        path = f"{folder}/s.sock"
        with StandIn(path, made) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            yield nobody(client, path)
            server.shutdown()
            thread.join()


def test_what_is_already_so_is_no_fault(client: httpx.Client) -> None:
    already = {"startProcess": (60, "ALREADY_STARTED"), "stopProcess": (70, "NOT_RUNNING")}
    with faulty(client, **already) as role:
        role.scale("v1", 2, mark(1, 1))
        role.scale("v1", 0, mark(1, 2))


def test_an_instance_that_does_not_start_is_told_with_the_end_of_its_log(
    client: httpx.Client,
) -> None:
    with faulty(client, startProcess=(50, "SPAWN_ERROR: shop-v1_7001")) as role:
        with pytest.raises(PermanentError, match=r"its log ends: .*DATABASE_URL") as caught:
            role.scale("v1", 2, mark(1, 1))
        assert isinstance(caught.value.__cause__, rpc.FaultError)


def test_an_instance_that_was_removed_meanwhile_is_not_found(client: httpx.Client) -> None:
    with faulty(client, startProcess=(10, "BAD_NAME")) as role, pytest.raises(NotFound):
        role.scale("v1", 2, mark(1, 1))


def test_a_supervisord_that_is_about_to_end_is_unreachable(client: httpx.Client) -> None:
    ending = (6, "SHUTDOWN_STATE")
    with faulty(client, getAllProcessInfo=ending) as role, pytest.raises(Unreachable):
        role.versions()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", PermanentError),
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", PermanentError),
        (b"SSH-2.0-OpenSSH\r\n", Unreachable),
        (b"", Unreachable),
    ],
)
def test_another_server_on_the_socket_becomes_an_error_of_ours(
    client: httpx.Client, answer: bytes, kind: type[Exception]
) -> None:
    with tempfile.TemporaryDirectory(prefix="rb-") as folder, socket.socket(socket.AF_UNIX) as own:
        own.bind(f"{folder}/s.sock")
        own.listen()
        calls: list[bytes] = []

        def serve() -> None:
            connection, _ = own.accept()
            with connection:
                request = b""
                while b"</methodCall>" not in request:  # an early answer would cut the caller off
                    request += connection.recv(65536)
                calls.append(request)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(kind):
            nobody(client, f"{folder}/s.sock").versions()
        thread.join()
        assert len(calls) == 1  # a call whose answer is lost is not sent again


def test_an_instance_that_was_never_asked_is_not_taken_for_one_that_is_not_ready(
    world: World, target: SupervisordTarget, supervisord: Supervisord
) -> None:
    assert within(10, lambda: has(supervisord, "v1", 2, 2))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server,
        httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=1)) as busy,
    ):
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with (
            busy.stream("GET", f"http://127.0.0.1:{server.server_port}"),  # the one connection
            pytest.raises(Unreachable, match="too many requests under way here"),
        ):
            Supervisord(target, busy).versions()
        server.shutdown()


class Quiet(BaseHTTPRequestHandler):
    """Promises a byte and never sends it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return
