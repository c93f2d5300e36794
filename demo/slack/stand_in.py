"""The stand-in's server: answers like Slack's Web API and keeps everything that it was sent."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from demo.slack import limits, web_socket

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Call:
    """One request: the method's name, such as `chat.update`, and what it said."""

    method: str
    body: dict[str, Any]
    token: str


@dataclass
class SlackStandIn:
    """Slack on loopback. Sets of troubles: `down` hangs up, `limited` answers 429, `slow_s` waits.

    messages: (channel, ts) → the message as people see it now; calls: all requests in their order.
    """

    token: str = "xoxb-stand-in"  # noqa: S105 -- of a stand-in
    app_token: str = "xapp-stand-in"  # noqa: S105 -- of a stand-in
    down: bool = False
    limited: int = 0
    slow_s: float = 0.0
    retry_after_s: int = 1
    calls: list[Call] = field(default_factory=list)
    messages: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    ephemeral: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take a port."""
        self._numbers = count(1)
        self._links: list[socket.socket] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.slack = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        """Listen, on a port of its own."""
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Hang up on everybody."""
        self.hang_up()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api(self) -> str:
        """What a catalogue names as `api`."""
        return f"{self.url}/api"

    def posted(self, thread: bool = False) -> list[dict[str, Any]]:
        """The messages as they are now: those in the channel, or those in threads."""
        with self._lock:
            return [one for one in self.messages.values() if bool(one.get("thread_ts")) is thread]

    async def until(self, holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        """Wait until that holds; TimeoutError after so long."""
        until = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError("the stand-in of Slack was not told in time")
            await asyncio.sleep(0.02)

    def push(self, envelope: dict[str, Any]) -> None:
        """Socket Mode: send an envelope to whoever is connected. ConnectionError if nobody is."""
        with self._lock:
            if not self._links:
                raise ConnectionError("nobody has opened a Socket Mode connection")
            link = self._links[-1]
        link.sendall(web_socket.frame(web_socket.TEXT, json.dumps(envelope).encode()))

    def connected(self) -> int:
        """Open Socket Mode connections."""
        with self._lock:
            return len(self._links)

    def hang_up(self) -> None:
        """End all Socket Mode connections, as Slack does every few hours."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            with suppress(OSError):  # it is closed already
                link.shutdown(socket.SHUT_RDWR)

    def answer(self, call: Call) -> dict[str, Any]:
        """What Slack answers to that call."""
        expected = self.app_token if call.method == "apps.connections.open" else self.token
        if call.token != expected:
            return {"ok": False, "error": "invalid_auth"}
        if wrong := limits.mistakes(call.body.get("blocks", [])):
            return {"ok": False, "error": "invalid_blocks", "errors": wrong}
        with self._lock:
            return self._answers(call)

    def _answers(self, call: Call) -> dict[str, Any]:
        body = call.body
        match call.method:
            case "auth.test":
                return {"ok": True, "team_id": "T1", "user_id": "UBOT", "bot_id": "B1"}
            case "apps.connections.open":
                return {"ok": True, "url": f"{self.url.replace('http', 'ws')}/link"}
            case "chat.postMessage":
                ts = f"1700000000.{next(self._numbers):06d}"
                self.messages[body["channel"], ts] = {**body, "ts": ts}
                return {"ok": True, "channel": body["channel"], "ts": ts}
            case "chat.update":
                key = body["channel"], body["ts"]
                if key not in self.messages:
                    return {"ok": False, "error": "message_not_found"}
                self.messages[key] = {**body, "edited": True}
                return {"ok": True, "channel": key[0], "ts": key[1]}
            case "chat.postEphemeral":
                self.ephemeral.append(body)
                return {"ok": True, "message_ts": "1700000000.000000"}
            case _:
                return {"ok": False, "error": "unknown_method"}

    def linked(self, link: socket.socket) -> None:
        """A Socket Mode connection was opened."""
        link.sendall(web_socket.frame(web_socket.TEXT, b'{"type": "hello", "num_connections": 1}'))
        with self._lock:
            self._links.append(link)

    def unlinked(self, link: socket.socket) -> None:
        """It has ended."""
        with self._lock:
            if link in self._links:
                self._links.remove(link)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    slack: SlackStandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that has given up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        slack = self.server.slack
        if slack.down:
            self.close_connection = True
            return  # it hangs up without a word
        time.sleep(slack.slow_s)
        if slack.limited > 0:
            slack.limited -= 1
            self._send(429, {"ok": False, "error": "ratelimited"}, slack.retry_after_s)
            return
        body = self._body(raw)
        if self.path.startswith("/response/"):  # what stands as response_url in a payload
            slack.responses.append(body)
            self._send(200, {"ok": True})
            return
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        call = Call(self.path.rpartition("/")[2], body, token)
        slack.calls.append(call)
        self._send(200, slack.answer(call))

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/link":
            self._send(404, {"ok": False})
            return
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        key = web_socket.accepted(self.headers["Sec-WebSocket-Key"])
        self.send_header("Sec-WebSocket-Accept", key)
        self.end_headers()
        self.wfile.flush()
        self.server.slack.linked(self.connection)
        try:
            self._listen()
        finally:
            self.server.slack.unlinked(self.connection)

    def _listen(self) -> None:
        while (told := web_socket.read(self.rfile)) is not None:
            kind, payload = told
            if kind == web_socket.PING:
                self.connection.sendall(web_socket.frame(web_socket.PONG, payload))
            elif kind == web_socket.TEXT:
                self.server.slack.acknowledged.append(json.loads(payload))
            elif kind == web_socket.CLOSE:
                return

    def _body(self, raw: bytes) -> dict[str, Any]:
        if "json" in (self.headers.get("Content-Type") or ""):
            body: dict[str, Any] = json.loads(raw or b"{}")
            return body
        return dict(parse_qsl(raw.decode()))

    def _send(self, status: int, body: dict[str, Any], retry_after_s: int = 0) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if retry_after_s:
            self.send_header("Retry-After", str(retry_after_s))
        self.end_headers()
        self.wfile.write(payload)
