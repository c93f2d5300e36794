"""`serve` and `worker` as processes: ready, alone on their data, and gone when they are told to."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from demo.processes import is_running, until
from rollback_manager.client import RollbackClient
from rollback_manager.client.converter import converter
from rollback_manager.contract import RollbackRequest
from starters.checkup import Level, of_server
from starters.refusals import NOT_PERMITTED, UsageError
from tests import keys
from tests.rig import catalogue
from workers.settings import load
from workers.temporal_server import TemporalServer

ROOT = Path(__file__).parents[2]
PROMISED_S = 15.0
PATIENCE_S = 60.0
ASK = RollbackRequest(env="test", services=("elsewhere",), key="k-1", requested_by="test")


@dataclass(frozen=True)
class Machine:
    """A data folder, a catalogue and two ports: what one machine gives to `serve`."""

    folder: Path
    port: int
    ui_port: int
    gateway_port: int

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def temporal_pid(self) -> int:
        """From the lock beside its database: `pid 12, started by pid 11`."""
        words = (self.data / "temporal.sqlite.lock").read_text().replace(",", "").split()
        return int(words[1])

    def start(self, verb: str, **environment: str) -> "Running":
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        settings = {
            "ROLLBACK_DATA": str(self.data),
            "ROLLBACK_CATALOGUE": str(self.folder / "catalogue.yaml"),
            "ROLLBACK_PORT": str(self.port),
            "ROLLBACK_UI_PORT": str(self.ui_port),
            "ROLLBACK_GATEWAY_PORT": str(self.gateway_port),
        }
        log = self.folder / f"{verb}-{time.monotonic_ns()}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "rollback_manager", verb],
                cwd=ROOT,
                env={**kept, **settings, **environment},
                stdin=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        return Running(process, log)

    @contextmanager
    def running(self, verb: str, **environment: str) -> Iterator["Running"]:
        """Ready in the block, and gone behind it."""
        started = self.start(verb, **environment)
        try:
            until(
                "it is ready", lambda: "worker is ready" in started.said, PATIENCE_S, started.check
            )
            yield started
        finally:
            started.end(signal.SIGTERM)

    async def client(self) -> Client:
        return await Client.connect(self.address, data_converter=pydantic_data_converter)


@dataclass(frozen=True)
class Running:
    """One process, and what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        assert self.process.poll() is None, self.said

    def code(self) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Tell it to end; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return made(tmp_path)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Running]]:
    one = made(tmp_path_factory.mktemp("serve"))
    with one.running("serve") as started:
        yield one, started


def made(folder: Path) -> Machine:
    (folder / "catalogue.yaml").write_text(catalogue("elsewhere", {}).model_dump_json())
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return Machine(folder, *(one.getsockname()[1] for one in sockets))


def assert_refused(running: Running, code: int, what: str, next_step: str) -> None:
    """In three parts, once each, and as a message: never as a stack."""
    assert running.code() == code, running.said
    said = "".join(running.said.split())  # long paths are broken where the line ends
    assert "".join(what.split()) in said
    assert "".join(next_step.split()) in said
    assert [said.count(part) for part in ("error:", "production:", "next:")] == [1, 1, 1], said
    assert "Traceback" not in said


async def test_serve_is_all_that_one_machine_needs(serving: tuple[Machine, Running]) -> None:
    machine, _ = serving
    found = await of_server(await machine.client())
    assert {one.check: one.level for one in found} == {
        "Temporal": Level.OK,
        "namespace": Level.OK,
        "search attributes": Level.OK,
        "worker": Level.OK,
    }, found


def test_serve_brings_the_web_ui(serving: tuple[Machine, Running]) -> None:
    machine, started = serving
    address = f"http://127.0.0.1:{machine.ui_port}"
    assert f"Web UI: {address}" in started.said
    with urllib.request.urlopen(address, timeout=5) as page:
        assert b"<html" in page.read()


async def test_serve_brings_the_gateway(serving: tuple[Machine, Running]) -> None:
    machine, running = serving
    where = f"http://127.0.0.1:{machine.gateway_port}"
    assert f"gateway: {where}" in running.said
    listed = await asyncio.to_thread(httpx.get, f"{where}/api/v1/services", trust_env=False)
    assert [one["service"] for one in listed.json()["services"]] == ["elsewhere"]


def test_serve_says_how_well_it_is_protected(serving: tuple[Machine, Running]) -> None:
    _, started = serving
    assert "security: local – one operator, no sign-in, loopback only" in started.said


@pytest.mark.long
async def test_with_keys_serve_encrypts_and_its_web_ui_knows_who_decrypts(
    tmp_path: Path,
) -> None:
    machine = made(tmp_path)
    ring = keys.write(tmp_path / "codec.json")
    with machine.running("serve", ROLLBACK_CODEC_KEYS=f"file:{ring}"):
        ui = f"http://127.0.0.1:{machine.ui_port}"
        told = await asyncio.to_thread(httpx.get, f"{ui}/api/v1/settings", trust_env=False)
        codec = told.json()["Codec"]["Endpoint"]
        assert codec == f"http://127.0.0.1:{machine.gateway_port}/codec"
        encrypting = converter(keys.ring(ring), "default")
        client = await Client.connect(machine.address, data_converter=encrypting)
        planned = await RollbackClient(client).plan(ASK)
        assert planned.blocked_because  # an answer, of a worker that could read the question
        history = await client.get_workflow_handle("plan/test/k-1").fetch_history()
        raw = history.events[0].workflow_execution_started_event_attributes.input
        assert b"elsewhere" not in raw.SerializeToString()
        sent = {"Origin": ui, "X-Namespace": "default"}
        read = await asyncio.to_thread(
            httpx.post, f"{codec}/decode", json=MessageToDict(raw), headers=sent, trust_env=False
        )
        (payload,) = ParseDict(read.json(), Payloads()).payloads
        assert b"elsewhere" in payload.data


def test_a_second_serve_on_the_same_data_is_refused_by_name(
    serving: tuple[Machine, Running],
) -> None:
    machine, started = serving
    held = f"pid {machine.temporal_pid()}, started by pid {started.process.pid}"
    assert_refused(machine.start("serve"), 7, held, "Use that server, end it, or name another")
    started.check()


async def test_a_killed_temporal_comes_back_and_work_goes_on(
    serving: tuple[Machine, Running],
) -> None:
    machine, started = serving
    os.kill(machine.temporal_pid(), signal.SIGKILL)
    until("it is back", lambda: "is back after" in started.said, PATIENCE_S, started.check)
    client = RollbackClient(await machine.client())
    assert (await client.plan(ASK)).blocked_because


async def test_ctrl_c_ends_serve_and_the_next_one_knows_what_was(machine: Machine) -> None:
    begun = time.monotonic()
    with machine.running("serve") as first:
        assert time.monotonic() - begun < PROMISED_S
        outcome = await (await RollbackClient(await machine.client()).start(ASK)).result()
        temporal = machine.temporal_pid()
        told = time.monotonic()
        assert first.end(signal.SIGINT) == 0, "it did what it was asked for"
        assert time.monotonic() - told < PROMISED_S
    assert not is_running(temporal)
    assert first.said.splitlines()[-1] == "stopped"
    assert "Traceback" not in first.said
    with machine.running("serve"):
        again = RollbackClient(await machine.client()).rollback(outcome.rollback)
        assert await again.result() == outcome
        assert (await again.status()).outcome == outcome, "a worker replays it"


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_a_half_written_catalogue_stops_the_start(machine: Machine, verb: str) -> None:
    file = machine.folder / "catalogue.yaml"
    file.write_text(file.read_text()[:100])
    started = machine.start(verb)
    assert_refused(started, 7, f"{file}:1: ", "rollback-manager catalogue check FILE")
    assert not machine.data.exists(), "it came before everything else"


def test_a_port_that_is_taken_is_named(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.ui_port)):
        started = machine.start("serve")
        taken = f"Port {machine.ui_port} on 127.0.0.1 cannot be taken"
        assert_refused(started, 7, taken, "choose another port")


def test_a_temporal_that_is_named_is_used_instead_of_an_own_one(
    machine: Machine, temporal: TemporalServer
) -> None:
    queue = f"q-{machine.port}"
    environment = {
        "TEMPORAL_ADDRESS": temporal.address,
        "ROLLBACK_TASK_QUEUE": queue,
        "ROLLBACK_LOG_JSON": "true",
    }
    with machine.running("serve", **environment) as started:
        assert f"TEMPORAL_ADDRESS names {temporal.address}: it is used" in started.said
        assert f"worker: {temporal.address}, queue {queue}" in started.said
        assert not (machine.data / "temporal.sqlite").exists()
        assert started.end(signal.SIGINT) == 0
    line = next(line for line in started.said.splitlines() if "worker is ready" in line)
    logged = json.loads(line)
    assert logged.pop("timestamp")
    assert logged == {"event": "worker is ready", "level": "info", "task_queue": queue}


def test_a_worker_says_when_temporal_does_not_answer(machine: Machine) -> None:
    begun = time.monotonic()
    started = machine.start("worker", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert_refused(started, 1, "Temporal does not answer at 127.0.0.1:1", "rollback-manager serve")
    assert time.monotonic() - begun < PROMISED_S


def test_a_worker_for_a_namespace_that_is_not_there_says_so(
    machine: Machine, temporal: TemporalServer
) -> None:
    started = machine.start(
        "worker", TEMPORAL_ADDRESS=temporal.address, TEMPORAL_NAMESPACE="elsewhere"
    )
    assert_refused(started, 7, "Namespace elsewhere was not found", "TEMPORAL_NAMESPACE")


REFUSED_FOR_GOOD = """
import asyncio
from workers import worker

async def waits_for_ever() -> None:
    await worker.leave_in_time(RuntimeError("code: PermissionDenied"))
    await asyncio.Event().wait()

worker.LEAVE_AFTER_S = 0.1
asyncio.run(waits_for_ever())
"""


def test_a_worker_that_was_refused_for_good_leaves_though_its_shutdown_waits_for_ever() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", REFUSED_FOR_GOOD],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == NOT_PERMITTED, ended.stderr
    assert "Renew its token" in " ".join(ended.stderr.split())


def test_records_that_do_not_answer_stop_the_start(machine: Machine) -> None:
    started = machine.start("worker", ROLLBACK_RECORDS="postgresql://127.0.0.1:1/x")
    assert_refused(started, 1, "do not answer", "Bring the database back, then start this again")


def test_a_data_folder_that_cannot_be_is_named(machine: Machine) -> None:
    machine.data.write_text("a file")
    started = machine.start("serve")
    assert_refused(started, 7, f"the data folder {machine.data}", "ROLLBACK_DATA=FOLDER")


def test_wrong_settings_are_told_all_at_once(machine: Machine) -> None:
    started = machine.start("worker", ROLLBACK_PORT="many", ROLLBACK_LOG_JSON="perhaps")
    assert_refused(started, 2, "ROLLBACK_PORT: ", "Correct them")
    assert "ROLLBACK_LOG_JSON: " in started.said


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBACK_TASK_QUEUE", "from-the-environment")
    monkeypatch.setenv("ROLLBACK_RECORDS", "sqlite:///kept")
    settings = load(task_queue="from-the-option", records=None)
    assert (settings.task_queue, settings.records) == ("from-the-option", "sqlite:///kept")


def test_an_option_that_is_wrong_is_told_like_a_variable() -> None:
    with pytest.raises(UsageError, match="ROLLBACK_PORT"):
        load(port="many")
