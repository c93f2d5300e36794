"""The load: an open loop whose file tells who failed whom."""

import json
import math
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.errors import WorldError
from demo.load import Load, Summary, percentile, read, summarise
from demo.ports import PortBlock

START = datetime(2026, 1, 1, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\nX-Version: V1\r\nContent-Length: 2\r\n\r\nok"


class Answering(socketserver.StreamRequestHandler):
    """Answers each request after `delay_s`; an empty answer is a closed connection."""

    answer = OK
    delay_s = 0.0

    def handle(self) -> None:
        while (line := self.rfile.readline()) and self.answer:
            if line == b"\r\n":
                time.sleep(self.delay_s)
                try:
                    self.wfile.write(self.answer)
                except ConnectionError:
                    return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def server(answer: bytes = OK, delay_s: float = 0.0) -> Iterator[str]:
    handler = type("Handler", (Answering,), {"answer": answer, "delay_s": delay_s})
    with Server(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.05,)).start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}/"
        finally:
            serving.shutdown()


def loaded(url: str, folder: Path, *, rate: float, duration_s: float, **options: float) -> Summary:
    """What became of a load over this time, its start not counted in."""
    with Load(url, folder / "load.jsonl", rate=rate, **options) as load:
        deadline = time.monotonic() + 5
        while not load.summary().total and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(duration_s)
    return load.summary()


def written(folder: Path, *outcomes: dict[str, object]) -> Path:
    """A load's file: one request each 100 ms."""
    lines = [
        json.dumps({"at": (START + timedelta(seconds=number / 10)).timestamp(), "ms": 5} | outcome)
        for number, outcome in enumerate(outcomes)
    ]
    file = folder / "load.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_the_load_keeps_its_rate(tmp_path: Path) -> None:
    with server() as url:
        seen = loaded(url, tmp_path, rate=300, duration_s=1)
    times = sorted(answer.sent_at.timestamp() for answer in read(tmp_path / "load.jsonl"))
    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(300, rel=0.03)
    assert seen.total == seen.count["V1"] == sum(one.count["V1"] for one in seen.seconds) > 250
    assert (seen.failed, seen.by_us, seen.unsent) == ({}, 0, 0)


def test_a_stalled_server_does_not_slow_the_load_down(tmp_path: Path) -> None:
    started = time.time()
    with server(delay_s=1) as url:
        seen = loaded(url, tmp_path, rate=100, duration_s=0.3)
    # A closed loop over its 8 connections would have sent 8 per second.
    assert seen.total > 100
    assert seen.total < 100 * (time.time() - started)
    assert seen.by_us == 0
    assert seen.latency_p95_ms >= 1000


@pytest.mark.parametrize(
    ("answer", "status", "failed"),
    [
        (b"", 0, "reset"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503, ""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", 0, "timeout"),
    ],
)
def test_what_no_version_answered_is_told_by_its_kind(
    tmp_path: Path, answer: bytes, status: int, failed: str
) -> None:
    with server(answer) as url:
        seen = loaded(url, tmp_path, rate=100, duration_s=0.1, timeout_s=0.2)
    first = json.loads((tmp_path / "load.jsonl").read_text().splitlines()[0])
    assert (first.get("status", 0), first.get("failed", "")) == (status, failed)
    assert seen.by_us == seen.total > 0
    assert seen.failed == {}


def test_a_closed_port_refuses(tmp_path: Path) -> None:
    ports = PortBlock()
    seen = loaded(f"http://127.0.0.1:{ports.take()}", tmp_path, rate=100, duration_s=0.1)
    ports.close()
    assert '"failed": "refused"' in (tmp_path / "load.jsonl").read_text()
    assert seen.by_us == seen.total > 0


def test_a_load_that_died_is_no_evidence(tmp_path: Path) -> None:
    with server() as url:
        load = Load(url, tmp_path / "load.jsonl", rate=100)
        load.start()
        os.kill(load.pid, 9)
        time.sleep(0.05)
        with pytest.raises(WorldError, match="load ended with -9"):
            load.stop()
        load.stop()  # once more changes nothing
    assert load.pid == 0


def test_an_error_belongs_to_the_version_that_answered_and_else_to_us(tmp_path: Path) -> None:
    seen = summarise(
        written(
            tmp_path,
            {"status": 200, "version": "v1"},
            {"status": 404, "version": "v1"},
            {"status": 500, "version": "v2"},
            {"status": 503, "version": "v2"},
            {"status": 503},
            {"failed": "refused"},
            {"failed": "reset"},
            {"failed": "timeout"},
            {"failed": "unsent"},
        )
    )
    assert (seen.total, seen.unsent) == (8, 1)
    assert seen.count == {"v1": 2, "v2": 2, "": 4}
    assert seen.failed == {"v2": 2}
    assert seen.by_us == 4
    assert seen.seconds[0].errors == {"v2": 2, "": 4}


def test_a_window_holds_what_was_sent_in_it(tmp_path: Path) -> None:
    file = written(tmp_path, *({"status": 200, "version": "v1", "ms": ms} for ms in range(1, 31)))
    seen = summarise(file, START + timedelta(seconds=1), START + timedelta(seconds=2.5))
    assert seen.total == 15
    assert [second.count for second in seen.seconds] == [{"v1": 10}, {"v1": 5}]
    assert seen.latency_p95_ms == 25


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    file = written(tmp_path, {"status": 200, "version": "v1"})
    with file.open("a") as out:
        out.write('{"at": 1767')
    assert summarise(file).total == 1


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.95))
    assert percentile([3, 1, 2], 0.95) == 3
    assert percentile([1, 2], 0.5) == 1
