"""A real Prometheus for tests, and the exporter that it scrapes: each test has a page of it."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

INTERVAL_S = 0.25
START_S = 30
TRIES = 3
"""A port may be taken between the look and the start."""


@dataclass
class Exporter:
    """Pages of metrics in Prometheus' text format, by path, or what writes one at each scrape.

    A page of None answers 503.
    """

    address: str
    pages: dict[str, str | Callable[[], str] | None] = field(default_factory=dict)


@dataclass
class Server:
    """A Prometheus under way. Its process may be stopped and killed by tests.

    paths: job → path of the page that it scrapes. begin: starts its process at the same address.
    """

    url: str
    child: subprocess.Popen[bytes]
    exporter: Exporter
    paths: Mapping[str, str]
    begin: Callable[[], subprocess.Popen[bytes]]

    def kill(self) -> None:
        """At once, as a machine that is gone."""
        self.child.kill()
        self.child.wait(START_S)

    def start_again(self) -> None:
        """With what it had stored; it may answer a little later."""
        self.child = self.begin()

    def show(self, path: str, *lines: str) -> None:
        """From now on this is the page; when this returns, a scrape of it can be asked for."""
        self.exporter.pages[path] = "".join(f"{line}\n" for line in lines)
        self.until_scraped(path)

    def until_scraped(self, path: str) -> None:
        """A scrape that begins after now is stored; one that fails under load does not count."""
        now_s, until = time.time(), time.monotonic() + START_S
        jobs = [job for job, page in self.paths.items() if page == path]
        up = f'up{{job=~"{"|".join(jobs)}"}}'
        fresh = f"count(timestamp({up}) > {now_s:.3f} and {up} == 1)"
        while not any(one["value"][1] == str(len(jobs)) for one in self.query(fresh)):
            if time.monotonic() > until:
                raise RuntimeError(f"Prometheus does not scrape {path}")
            time.sleep(0.03)

    def query(self, text: str) -> list[Any]:
        """What an instant query gives, asked without any code of ours."""
        with urlopen(f"{self.url}/api/v1/query?query={quote(text)}", timeout=5) as answer:  # noqa: S310
            found: list[Any] = json.load(answer)["data"]["result"]
            return found


@contextmanager
def exporter() -> Iterator[Exporter]:
    """One that serves its pages for as long as the block lasts."""

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            shown = one.pages.get(self.path, "")
            page = shown() if callable(shown) else shown
            body = (page or "").encode()
            self.send_response(503 if page is None else 200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        one = Exporter(f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def server(
    exporter: Exporter, paths: Mapping[str, str], *flags: str, interval_s: float = INTERVAL_S
) -> Iterator[Server]:
    """A Prometheus that scrapes the exporter so often, job by job, at the job's path.

    Ready when each of its jobs was scraped: it begins to scrape some five seconds after it answers.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise RuntimeError("these tests need Prometheus: apt-get install prometheus")
    with tempfile.TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "prometheus.yml").write_text(_config(exporter, paths, interval_s))
        one = _started(partial(_start, program, folder, exporter, paths, *flags), folder)
        try:
            _until(one, folder, lambda: len(one.query("up")) == len(paths))
            yield one
        finally:
            one.child.send_signal(signal.SIGCONT)  # a test may have stopped it
            one.child.kill()  # nothing of it is kept
            one.child.wait(START_S)


def _config(exporter: Exporter, paths: Mapping[str, str], interval_s: float) -> str:
    jobs = [
        {"job_name": job, "metrics_path": path, "static_configs": [{"targets": [exporter.address]}]}
        for job, path in paths.items()
    ]
    every = f"{round(1000 * interval_s)}ms"
    scrape = {"scrape_interval": every, "scrape_timeout": every}
    return json.dumps({"global": scrape, "scrape_configs": jobs})  # JSON is YAML


def _started(start: Callable[[], Server], folder: Path) -> Server:
    for _ in range(TRIES):
        one = start()
        try:
            _until(one, folder, partial(one.query, "vector(1)"))
        except RuntimeError as error:
            if "address already in use" not in str(error):
                raise
        else:
            return one
    raise RuntimeError(f"Prometheus did not start: {TRIES} ports were taken")


def _start(
    program: str, folder: Path, exporter: Exporter, paths: Mapping[str, str], *flags: str
) -> Server:
    address = f"127.0.0.1:{_free_port()}"
    command = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        *flags,
    ]

    def begin() -> subprocess.Popen[bytes]:
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                [*_with_us(), program, *command], stdout=log, stderr=log, cwd=folder
            )

    return Server(f"http://{address}", begin(), exporter, paths, begin)


def _until(one: Server, folder: Path, holds: Callable[[], object]) -> None:
    """A refused connection is no answer yet; a dead child gives none, whoever has its port now."""
    until = time.monotonic() + START_S
    while True:
        ended = one.child.poll() is not None
        try:
            if not ended and holds():
                return
        except (OSError, ValueError):
            pass
        if ended or time.monotonic() > until:
            one.child.kill()
            one.child.wait(START_S)
            last = "\n".join((folder / "log").read_text(errors="replace").splitlines()[-20:])
            raise RuntimeError(f"Prometheus did not start:\n{last}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _with_us() -> list[str]:
    """Where Linux can: the words that end a child with its parent."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
