"""A gateway over the tests' Temporal, asked as HTTP asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from starters.gateway.app import make_app
from starters.gateway.doors import Binding, Doors
from tests import rig
from tests.rig import Rig

ORIGIN = "http://127.0.0.1:8088"
OPERATOR = "local:tester"


@dataclass
class Gate:
    """A rig, its gateway, and a client that stands before it."""

    rig: Rig
    doors: Doors
    http: httpx.AsyncClient


def doors_of(made: Rig) -> Doors:
    """As `workers/gateway.py` puts them together at level `local`."""
    return Doors(
        rollbacks=made.rollbacks,
        catalogue=made.parts.catalogue,
        binding=Binding("127.0.0.1", 8088, ORIGIN, ("127.0.0.1:8088", "localhost:8088")),
        now=lambda: datetime.now(UTC),
        operator=OPERATOR,
    )


@asynccontextmanager
async def opened(made: Rig, **otherwise: Any) -> AsyncIterator[Gate]:
    """Its gateway, in this process: requests reach it without a socket."""
    doors = replace(doors_of(made), **otherwise)
    transport = httpx.ASGITransport(make_app(doors), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield Gate(made, doors, http)


@pytest.fixture
async def gate(client: Client, tmp_path: Path) -> AsyncIterator[Gate]:
    """v1 verified and warm, v2 bad with all the traffic, and a worker that asks nobody."""
    async with rig.rig(client, tmp_path, cached=1000) as made, opened(made) as one:
        yield one


@pytest.fixture
async def asking(client: Client, tmp_path: Path) -> AsyncIterator[Gate]:
    """The same, and a person must agree."""
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    async with rig.rig(client, tmp_path, cached=1000, policy=policy) as made, opened(made) as one:
        yield one
