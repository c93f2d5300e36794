"""What a request on its way to the API server may meet, and what its client then gets."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request of a client. query: as it was sent, without the question mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def writes(self) -> bool:
        """Whether it may change something: no dry run, which only asks."""
        return self.method not in ("GET", "HEAD") and "dryRun=" not in self.query

    @property
    def watches(self) -> bool:
        """Whether its answer goes on for as long as somebody listens."""
        return "watch=1" in self.query or "watch=true" in self.query

    @property
    def token(self) -> str:
        """The bearer token that it carries."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: http.client.HTTPResponse | None = None
    """Of a watch: what follows."""


Forward = Callable[[], Answer]
Meets = Callable[[Request, Forward], Answer | None]
"""The answer that the client gets; None: its connection is reset."""
Matches = Callable[[Request], bool]


def refusing(
    status: int, message: str, reason: str = "", headers: Mapping[str, str] | None = None
) -> Meets:
    """Not forwarded: the API's own kind of refusal."""
    said = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
    shown = {"Content-Type": "application/json", **(headers or {})}
    return lambda _, __: Answer(status, json.dumps(said).encode(), shown)


def lost_answer(_: Request, forward: Forward) -> Answer | None:
    """It has its effect; the client never hears of it."""
    forward()
    return None


def lost_request(_: Request, __: Forward) -> Answer | None:
    """It never arrives."""
    return None


def black_hole(until: threading.Event) -> Meets:
    """A partition: neither an answer nor an end of the connection before that."""

    def meets(_: Request, __: Forward) -> None:
        until.wait()

    return meets


def late(seconds: float) -> Meets:
    """The answer comes as much later."""

    def meets(_: Request, forward: Forward) -> Answer:
        answer = forward()
        time.sleep(seconds)
        return answer

    return meets


def writes(request: Request) -> bool:
    """For `when`: it may change something."""
    return request.writes
