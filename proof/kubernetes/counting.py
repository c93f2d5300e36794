"""A stand-in for Prometheus: it scrapes counters within this process, and answers range selectors.

It speaks as much of the query API as the product asks for: all samples of one service.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from proof.kubernetes.placement import INTERVAL_S

BACKSLASH = r"\x5c"
"""As the product's queries write it: names of services need no other escape."""
KEPT = int(120 / INTERVAL_S)
Labels = tuple[tuple[str, str], ...]
Page = Callable[[], Mapping[Labels, float]]
"""Labels of each series, its name among them as `__name__` → its value now."""


class Counting:
    """Listens on loopback as long as the block lasts; `pages` are scraped by service."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self._samples: dict[str, dict[Labels, deque[tuple[float, float]]]] = {}
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.counting = self
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,)),
            threading.Thread(target=self._scrape),
        ]

    def __enter__(self) -> Self:
        """Begin to scrape and to answer."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End both."""
        self._over.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _scrape(self) -> None:
        while not self._over.wait(INTERVAL_S):
            for service, page in list(self.pages.items()):
                rows = self._samples.setdefault(service, {})
                at = time.time()
                for labels, value in page().items():
                    rows.setdefault(labels, deque(maxlen=KEPT)).append((at, value))

    def answer(self, query: str) -> dict[str, Any]:
        """As /api/v1/query does for a range selector that names services."""
        named = re.search(r'service=~"([^"]*)"', query)
        wanted = named[1].replace(BACKSLASH, "").split("|") if named else []
        found = [
            {
                "metric": dict(labels) | {"service": service, "instance": service, "job": "front"},
                "values": [[at, str(value)] for at, value in list(samples)],
            }
            for service in wanted
            for labels, samples in list(self._samples.get(service, {}).items())
        ]
        return {"status": "success", "data": {"resultType": "matrix", "result": found}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    counting: Counting

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that was killed leaves a broken pipe."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """A query."""
        form = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        body = json.dumps(self.server.counting.answer(parse_qs(form)["query"][0])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
