"""The API server of Kubernetes through a proxy that knows each request: hook and ledger.

Plain HTTP on loopback towards a worker, whose token passes; HTTPS to the control plane. What a
request meets is a function of the test: it may forward it or not, before or after whatever else it
does, and it says what the client gets. Nothing in the product knows of it.
"""

import http.client
import json
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from proof.faults.meets import Answer, Matches, Meets, Request

RESETS = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: closing sends a reset instead of an orderly end."""
HOPS = {"connection", "transfer-encoding", "keep-alive", "content-length", "host"}
PATIENCE_S = 90.0
"""For the control plane's answer, a watch of a minute included."""


@dataclass(frozen=True)
class Passed:
    """One line of the ledger. status: 0 where the client got no answer."""

    at: float
    request: Request
    status: int


class ApiProxy:
    """One control plane through a proxy, as long as the block lasts.

    kubeconfig: leads to the control plane; its first user is who `kubeconfig_in` comes as.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._config: dict[str, Any] = json.loads(kubeconfig.read_text())
        cluster = self._config["clusters"][0]["cluster"]
        self._server = urlsplit(cluster["server"])
        self._trust = ssl.create_default_context(cafile=cluster.get("certificate-authority"))
        self._lock = threading.Lock()
        self._waiting: list[tuple[Matches, Meets, int]] = []
        self._ledger: list[Passed] = []
        self._hushed_at = 0.0
        self._listener = _Listener(("127.0.0.1", 0), _Handler)
        self._listener.proxy = self
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more; connections that are open are cut."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.cut()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def kubeconfig_in(self, path: Path, token: str = "") -> Path:
        """Write a kubeconfig that leads here, as another user if a token is given."""
        config = json.loads(json.dumps(self._config))
        for cluster in config["clusters"]:
            cluster["cluster"] = {"server": self.url}
        if token:
            config["users"][0]["user"] = {"token": token}
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(json.dumps(config))
        beside.replace(path)
        return path

    def meet(self, meets: Meets, when: Matches = lambda _: True, times: int = 1) -> None:
        """So many of the next requests that match meet that; all others pass."""
        with self._lock:
            self._waiting.append((when, meets, times))

    def calm(self) -> None:
        """Nothing waits to be met any more; what is under way goes on."""
        with self._lock:
            self._waiting.clear()

    def hush(self) -> None:
        """Watches that are open now stay open, and say nothing any more: half-open connections."""
        self._hushed_at = time.monotonic()

    def is_hushed(self, since: float) -> bool:
        """Whether that happened to a watch that began then."""
        return self._hushed_at > since

    def passed(self, when: Matches = lambda _: True, since: float = 0.0) -> list[Passed]:
        """Requests that have their answer, or will never have one; since: of `time.monotonic`."""
        with self._lock:
            return [one for one in self._ledger if one.at >= since and when(one.request)]

    def answer(self, request: Request, connection: http.client.HTTPConnection) -> Answer | None:
        """What the client gets, written down."""
        at, met = time.monotonic(), self._met(request)

        def forward() -> Answer:
            return _forwarded(connection, request)

        answer = met(request, forward) if met else forward()
        with self._lock:
            self._ledger.append(Passed(at, request, answer.status if answer else 0))
        return answer

    def upstream(self) -> http.client.HTTPConnection:
        """A connection to the control plane, not made yet."""
        host, port = self._server.hostname or "", self._server.port
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=self._trust)

    def _met(self, request: Request) -> Meets | None:
        with self._lock:
            for number, (when, meets, times) in enumerate(self._waiting):
                if when(request):
                    self._waiting[number] = (when, meets, times - 1)
                    if times == 1:
                        del self._waiting[number]
                    return meets
        return None


def _forwarded(connection: http.client.HTTPConnection, request: Request) -> Answer:
    target = f"{request.path}?{request.query}" if request.query else request.path
    headers = {name: text for name, text in request.headers.items() if name not in HOPS}
    try:
        connection.request(request.method, target, request.body or None, headers)
        got = connection.getresponse()
    except (http.client.RemoteDisconnected, ConnectionResetError):  # it was idle for too long
        connection.close()
        connection.request(request.method, target, request.body or None, headers)
        got = connection.getresponse()
    kept = {name: text for name, text in got.getheaders() if name.lower() not in HOPS}
    if request.watches and got.status < 300:
        return Answer(got.status, b"", kept, got)
    return Answer(got.status, got.read(), kept)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: ApiProxy

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves a broken pipe."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self._upstream = self.server.proxy.upstream()

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def _pass(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        target = urlsplit(self.path)
        headers = {name.lower(): text for name, text in self.headers.items()}
        request = Request(self.command, target.path, target.query, headers, body)
        answer = self.server.proxy.answer(request, self._upstream)
        if answer is None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
            self.connection.close()
            return
        lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
        lines += [f"{name}: {text}" for name, text in answer.headers.items()]
        length_or_not = (
            "Connection: close" if answer.stream else f"Content-Length: {len(answer.body)}"
        )
        self.wfile.write(
            "\r\n".join([*lines, length_or_not, "", ""]).encode("latin-1") + answer.body
        )
        if answer.stream is not None:
            self._follow(answer.stream)

    def _follow(self, stream: http.client.HTTPResponse) -> None:
        """Pass on what a watch tells, line by line, until either side ends."""
        self.close_connection, since = True, time.monotonic()
        with suppress(OSError, ValueError):
            while line := stream.readline():
                if not self.server.proxy.is_hushed(since):
                    self.wfile.write(line)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 -- so they are found

    def log_message(self, *_: object) -> None:
        """The ledger is enough."""
