"""A small shop, one process per instance, of which a version can be broken on purpose.

Run by path, with nothing but the standard library: it starts in 50 ms, so that four instances do
not make the demo wait. `http.server` would double that and the cost of each request.
"""

import argparse
import random
import signal
import socket
import socketserver
import threading
import time
from http import HTTPStatus
from io import BufferedIOBase
from typing import NamedTuple, NoReturn

PAGES = {b"/": "front", b"/checkout": "checkout"}


class Behaviour(NamedTuple):  # a dataclass costs 9 ms of imports
    """How this version answers; ratios are 0…1 of all requests to its pages."""

    version: str
    error_ratio: float
    latency_ms: float
    slow_ratio: float
    slow_ms: float
    """Added to `latency_ms` for the slow share."""
    warm_up_s: float
    """From the start until `/ready` says so; pages answer before that too."""
    faults_from: float
    """Unix seconds; until then no request fails or is slow, and every instance is ready."""
    hang_ratio: float
    """Share of the requests to its pages that are never answered from then on."""
    lost_ratio: float
    """Share of the checkouts that are answered well and become no order from then on."""
    till: float
    """Port of the till that hears of every order; 0: there is none."""
    unready_ratio: float
    """Share of the instances whose `/ready` says no from then on, while their pages answer."""
    drain_s: float
    """From TERM, when `/ready` says no more, until it ends: the proxy looks elsewhere meanwhile."""


class Shop(socketserver.ThreadingTCPServer):
    """The listening instance; a thread per connection, as connections are few and stay."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, behaviour: Behaviour, host: str = "127.0.0.1") -> None:
        self.behaviour = behaviour
        self.warm_at = time.monotonic() + behaviour.warm_up_s
        self._open: set[socket.socket] = set()
        self.draining = False
        self._ending = threading.Event()
        self._orders = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        super().__init__((host, port), Connection)

    def answer(self, path: bytes) -> bytes:
        """The whole answer to `GET path`, after the time that it takes this version."""
        if path == b"/ready":
            warm = time.monotonic() >= self.warm_at and not self.draining and not self._unready()
            return self._written(HTTPStatus.OK if warm else HTTPStatus.SERVICE_UNAVAILABLE, "ready")
        if path not in PAGES:
            return self._written(HTTPStatus.NOT_FOUND, "none")
        if self._strikes(self.behaviour.hang_ratio):
            self._hang()
        time.sleep(self._duration_s())
        failed = self._strikes(self.behaviour.error_ratio)
        if path == b"/checkout" and not failed and not self._strikes(self.behaviour.lost_ratio):
            self._order()
        return self._written(
            HTTPStatus.INTERNAL_SERVER_ERROR if failed else HTTPStatus.OK, PAGES[path]
        )

    def _broken(self) -> bool:
        return time.time() >= self.behaviour.faults_from

    def _strikes(self, ratio: float) -> bool:
        return self._broken() and random.random() < ratio  # noqa: S311 - a fault, no secret

    def _order(self) -> None:
        if self.behaviour.till:
            self._orders.sendto(b"order", ("127.0.0.1", int(self.behaviour.till)))

    def _hang(self) -> NoReturn:
        """Until it is told to end: nobody is still there then who could read an answer."""
        self._ending.wait()
        raise ConnectionAbortedError

    def _unready(self) -> bool:
        """By port and address: of four neighbours exactly two at a ratio of 0.5."""
        host, port = self.server_address[:2]
        number = port + int(str(host).rpartition(".")[2]) - 1
        return self._broken() and number % 4 < 4 * self.behaviour.unready_ratio

    def _duration_s(self) -> float:
        slow = self._strikes(self.behaviour.slow_ratio)
        return (self.behaviour.latency_ms + (self.behaviour.slow_ms if slow else 0)) / 1000

    def _written(self, status: HTTPStatus, page: str) -> bytes:
        body = f'{{"version": "{self.behaviour.version}", "page": "{page}"}}\n'
        return (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"x-version: {self.behaviour.version}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def drain(self) -> None:
        """Not ready any more, and answering on, until the proxy has had time to see it."""
        self.draining = True
        self._ending.set()
        time.sleep(self.behaviour.drain_s)

    def finish(self) -> None:
        """Answer what has already arrived, then let go of every connection."""
        self.shutdown()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RD)  # what has arrived can still be read
            except OSError:
                continue  # the other side was first
        self.server_close()  # waits for the threads

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override] # ours is TCP only
        """Remember the connection before its thread runs, so that none escapes `finish`."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override] # ours is TCP only
        """Forget the connection, then close it."""
        self._open.discard(request)
        super().shutdown_request(request)


class Connection(socketserver.StreamRequestHandler):
    """One keep-alive connection; each answer is one write, and not held back for more."""

    disable_nagle_algorithm = True
    server: Shop

    def handle(self) -> None:
        """Answer request after request until the other side, or `finish`, ends it."""
        try:
            while request := read_request(self.rfile):
                path, stays = request
                self.wfile.write(self.server.answer(path))
                if not stays:
                    return
        except ConnectionError:
            return


def read_request(stream: BufferedIOBase) -> tuple[bytes, bool] | None:
    """The path of the next GET and whether the connection stays; nothing at its end."""
    method, _, rest = stream.readline().partition(b" ")
    if method != b"GET":  # the end, or somebody who means another server
        return None
    stays = True
    while (line := stream.readline()) not in (b"\r\n", b"\n", b""):
        stays = stays and line.lower().strip() != b"connection: close"
    return rest.partition(b" ")[0].partition(b"?")[0], stays


def main() -> None:
    """Serve until TERM, finish the requests in flight, exit with 0."""
    parser = argparse.ArgumentParser(description="one instance of the demo's shop")
    parser.add_argument("--host", default="127.0.0.1", help="an address of loopback")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", required=True)
    for option, default in (("error-ratio", 0), ("latency-ms", 5), ("slow-ratio", 0)):
        parser.add_argument(f"--{option}", type=float, default=default)
    ratios = ("hang-ratio", "lost-ratio", "unready-ratio")
    for option in ("slow-ms", "warm-up-s", "drain-s", "faults-from", "till", *ratios):
        parser.add_argument(f"--{option}", type=float, default=0)
    options = vars(parser.parse_args())
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread: only `sigwait` takes them
    host, port = options.pop("host"), options.pop("port")
    shop = Shop(port, Behaviour(**options), host)
    threading.Thread(target=shop.serve_forever, args=(0.1,), daemon=True).start()
    signal.sigwait(ends)
    shop.drain()
    shop.finish()


if __name__ == "__main__":
    main()
