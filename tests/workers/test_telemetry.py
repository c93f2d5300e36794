"""Traces and metrics of a real rollback, as an OTLP receiver gets them; and the log's lines."""

import gzip
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from rollback_manager.errors import Unreachable
from rollback_manager.progress import Result
from tests import rig
from tests.rig import Rig
from workers import wiring
from workers.settings import Settings
from workers.telemetry import ENDPOINTS, Telemetry, set_up, set_up_logs
from workers.worker import make_worker

REASON = "password-hunter2-was-leaked"
STEPS = {"prepare", "redirect_traffic", "drain", "verify", "clean_up"}
MAY_BE_TOLD = {"env", "service", "step", "state", "result"}


@dataclass
class Receiver:
    """What a collector would keep: the bodies of requests by path."""

    address: str = ""
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    def spans(self) -> list[Span]:
        found = map(ExportTraceServiceRequest.FromString, self.bodies["/v1/traces"])
        return [
            span
            for request in found
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Metric]:
        found = map(ExportMetricsServiceRequest.FromString, self.bodies["/v1/metrics"])
        return {
            metric.name: metric
            for request in found
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A real OTLP/HTTP receiver on loopback."""
    receiver = Receiver()

    class Taken(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            packed = self.headers.get("content-encoding") == "gzip"
            text = gzip.decompress(body) if packed else body
            receiver.bodies.setdefault(self.path, []).append(text)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taken) as server:
        receiver.address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield receiver
        server.shutdown()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


async def roll_back(client: Client, folder: Path, telemetry: Telemetry) -> Rig:
    """One whole rollback by a worker that takes `telemetry` along."""
    async with rig.rig(client, folder, cached=1000) as made:
        queue = f"{made.settings.task_queue}-told"
        told = replace(made, settings=Settings(data=folder, task_queue=queue))
        told.world.running["v1"] = 1  # cold, or it would not have to be prepared
        parts = wiring.Parts(
            rig.catalogue(told.service, told.policy), told.records, lambda *_: told.world.target()
        )
        async with make_worker(client, told.settings, parts, telemetry.interceptors):
            outcome = await (await told.start(reason=REASON)).result()
    assert outcome.result is Result.VERIFIED, outcome
    return told


def points(metric: Metric) -> list[dict[str, str]]:
    """The attributes of each of its points."""
    rows = metric.histogram.data_points or metric.sum.data_points
    return [{one.key: one.value.string_value for one in row.attributes} for row in rows]


async def test_a_rollback_is_told_in_traces_and_metrics(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        telemetry = set_up()
        made = await roll_back(client, tmp_path, telemetry)
        telemetry.flush()
    spans = receiver.spans()
    assert {
        "RunWorkflow:RollbackWorkflow",
        "RunWorkflow:ServiceRollbackWorkflow",
        "RunActivity:plan_rollback",
        "RunActivity:redirect_traffic",
        "RunActivity:conclude",
    } <= {span.name for span in spans}
    steps_told = {
        span.trace_id for span in spans if span.name.removeprefix("RunActivity:") in STEPS
    }
    assert len(steps_told) == 1, "the steps of a service are one trace"
    metrics = receiver.metrics()
    assert set(metrics) == {"rollback.duration", "rollback.step.duration", "rollback.outcome"}
    assert points(metrics["rollback.outcome"]) == [{"env": "test", "result": "verified"}]
    assert points(metrics["rollback.duration"]) == [{"env": "test", "result": "verified"}]
    assert [metrics[name].unit for name in sorted(metrics)] == ["s", "{rollback}", "s"]
    steps = points(metrics["rollback.step.duration"])
    assert {one["step"] for one in steps} == STEPS
    assert all(one["service"] == made.service and one["state"] == "done" for one in steps)
    told = {name for metric in metrics.values() for point in points(metric) for name in point}
    assert told <= MAY_BE_TOLD
    everything = b"".join(body for bodies in receiver.bodies.values() for body in bodies)
    assert REASON.encode() not in everything


def test_without_its_variables_nothing_is_set_up() -> None:
    assert set_up() == Telemetry()
    set_up().flush()


def test_a_collector_that_is_down_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")  # seconds; its default is 10
    telemetry = set_up()
    assert telemetry.traces is not None
    telemetry.traces.get_tracer("test").start_span("lost").end()
    begun = time.monotonic()
    telemetry.flush()
    assert time.monotonic() - begun < 8


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The root logger as it was before, afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    for handler in before:
        root.removeHandler(handler)  # or `force` would close them
    yield logging.getLogger("workers.test")
    root.handlers[:] = before
    root.setLevel(level)


def fail(log: logging.Logger, error: Exception) -> None:
    secret = "hunter2"  # noqa: F841, S105 -- a local that no log may show
    try:
        raise error
    except Exception:
        log.warning("an attempt failed", exc_info=True)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("error", [Unreachable("Envoy is away"), ApplicationError("Envoy is away")])
def test_an_error_of_ours_is_one_line_in_the_log(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], error: Exception, as_json: bool
) -> None:
    set_up_logs(as_json)
    fail(log, error)
    (line,) = capsys.readouterr().err.splitlines()
    assert "an attempt failed" in line
    assert "Envoy is away" in line


@pytest.mark.parametrize("as_json", [False, True])
def test_another_error_comes_with_its_stack_and_without_its_locals(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    set_up_logs(as_json)
    fail(log, ValueError("a mistake"))
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "ValueError: a mistake" in said
    assert "hunter2" not in said
    if as_json:
        assert "Traceback" in json.loads(said)["exception"]
