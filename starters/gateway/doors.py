"""What every door of the gateway needs, put together once by the process."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from starters.gateway.replays import Replays


@dataclass(frozen=True)
class Binding:
    """Where it listens, and under which name people reach it.

    origin: exactly what a browser sends as `Origin`, such as `http://127.0.0.1:8088`.
    """

    host: str
    port: int
    origin: str
    hosts: tuple[str, ...]
    """What may stand in `Host`: nobody else's name for this address (DNS rebinding)."""


@dataclass(frozen=True)
class Doors:
    """All that routes need. now: the clock of the process, in UTC."""

    rollbacks: RollbackClient
    catalogue: Catalogue
    binding: Binding
    now: Callable[[], datetime]
    operator: str = "local:unknown"
    """The one operator of level `local`."""
    replays: Replays | None = None
    """What was received already; needed by every door that takes signed requests."""


def doors(request: Request) -> Doors:
    """Those of the app that answers this request."""
    known: Doors = request.app.state.doors
    return known
