"""The till of the demo's shop: counts orders, and says how many come in a minute.

Run by path, with nothing but the standard library. Each instance of the shop sends a datagram per
order; `GET` answers `{"orders": {"per_minute": 1234}}`, over the last seconds.
"""

import argparse
import socket
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WINDOW_S = 4.0
"""Short, as a demo is: a real shop would count a minute."""


class Till:
    """The orders of the last seconds."""

    def __init__(self) -> None:
        self._orders: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self, orders: socket.socket) -> None:
        """For ever: each datagram is an order."""
        while True:
            orders.recv(16)
            with self._lock:
                self._orders.append(time.monotonic())

    def per_minute(self) -> float:
        """Orders per minute, by the last WINDOW_S."""
        since = time.monotonic() - WINDOW_S
        with self._lock:
            while self._orders and self._orders[0] < since:
                self._orders.popleft()
            return len(self._orders) * 60 / WINDOW_S


def handler(till: Till) -> type[BaseHTTPRequestHandler]:
    """Answers every GET with the till's number."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'{{"orders": {{"per_minute": {till.per_minute():.0f}}}}}\n'.encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


def main() -> None:
    """Count and answer until it is ended."""
    parser = argparse.ArgumentParser(description="the till of the demo's shop")
    parser.add_argument("--port", type=int, required=True, help="HTTP, and UDP for the orders")
    port = parser.parse_args().port
    orders, till = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), Till()
    orders.bind(("127.0.0.1", port))
    threading.Thread(target=till.count, args=(orders,), daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", port), handler(till)).serve_forever()


if __name__ == "__main__":
    main()
