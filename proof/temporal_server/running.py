"""Temporal's own server as a process of ours, its databases on a PostgreSQL of its own.

It is configured as the image `temporalio/server` is: by the variables of docker-compose.yml.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from sqlalchemy import URL, make_url
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from demo.ports import PortBlock
from demo.processes import Children
from proof import postgres
from rollback_manager.contract import SEARCH_ATTRIBUTES
from rollback_manager.errors import Unreachable
from workers.temporal_namespace import RETENTION, Namespace

NAMESPACE = "default"
READY_S = 60.0
PARTS = ("FRONTEND", "INTERNAL_FRONTEND", "MATCHING", "HISTORY", "WORKER")
PORTS_OF = (
    *(f"{part}_GRPC_PORT" for part in PARTS),
    *(f"{part}_MEMBERSHIP_PORT" for part in PARTS),
    "FRONTEND_HTTP_PORT",
    "INTERNAL_FRONTEND_HTTP_PORT",
)
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}
SHARDS = "4"
"""Of the histories; two for each core of a small machine."""


@dataclass(frozen=True)
class Place:
    """Where it runs. first: the first of its ports."""

    first: int
    log: Path

    @property
    def address(self) -> str:
        """Of the frontend."""
        return f"127.0.0.1:{self.first}"

    def port(self, name: str) -> int:
        """The one that the variable of this name says."""
        return self.first + PORTS_OF.index(name)


Connect = Callable[[Place], Awaitable[Client]]
"""A client of somebody who may prepare the namespace."""


@asynccontextmanager
async def running(
    programs: Path,
    folder: Path,
    connect: Connect,
    *,
    settings: Mapping[str, str] | None = None,
    durable: bool = False,
) -> AsyncIterator[Place]:
    """Up in the block, with the namespace and the search attributes of the product.

    settings: on top of the plain ones. durable: its database keeps each commit on the disk.
    """
    block = PortBlock()
    with closing(block), postgres.server(block.take(), durable=durable) as url:
        at = make_url(url)
        _schemas(programs, at)
        place = Place(block.take(len(PORTS_OF)), folder / "temporal-server.out")
        words = {**_plain(at, place.first, folder), **(settings or {})}
        children = Children(folder)
        told = [f"{name}={value}" for name, value in words.items()]
        children.start(
            "temporal-server", ["env", "-i", *told, str(programs / "temporal-server"), "start"]
        )
        try:
            await _prepare(await _reached(place, connect, children))
            yield place
        finally:
            children.end(5, lambda: None)


def _plain(at: URL, first: int, folder: Path) -> dict[str, str]:
    """As docker-compose.yml has it, on one machine: each part at a port of its own."""
    dynamic = folder / "dynamic.yaml"
    dynamic.write_text("limit.maxIDLength:\n  - value: 255\n")
    ports = {name: str(first + number) for number, name in enumerate(PORTS_OF)}
    return {
        "DB": "postgres12",
        "DB_PORT": str(at.port),
        "POSTGRES_SEEDS": str(at.host),
        "POSTGRES_USER": str(at.username),
        "POSTGRES_PWD": at.password or "",
        "BIND_ON_IP": "127.0.0.1",
        "NUM_HISTORY_SHARDS": SHARDS,
        "DYNAMIC_CONFIG_FILE_PATH": str(dynamic),
        **ports,
    }


def _schemas(programs: Path, at: URL) -> None:
    """As docker-compose.yml makes them."""
    reach = {"SQL_PLUGIN": "postgres12", "SQL_HOST": str(at.host), "SQL_PORT": str(at.port)}
    reach |= {"SQL_USER": str(at.username), "SQL_PASSWORD": at.password or ""}
    for database, name in DATABASES.items():
        schema = ["--schema-name", f"postgresql/v12/{name}"]
        for words in (
            ["create-database"], ["setup-schema", "--version", "0.0"], ["update-schema", *schema]
        ):  # fmt: skip
            subprocess.run(
                [programs / "temporal-sql-tool", "--database", database, *words],
                env=reach, check=True, capture_output=True,
            )  # fmt: skip


async def _prepare(client: Client) -> None:
    """The namespace and the search attributes; a new one is known everywhere after a while."""
    kept = Duration()
    kept.FromTimedelta(RETENTION)
    with suppress(RPCError):  # a try before may have been answered late
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=NAMESPACE, workflow_execution_retention_period=kept),
            retry=True,
        )
    namespace = Namespace(client, SEARCH_ATTRIBUTES)
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return await namespace.prepare()
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


async def _reached(place: Place, connect: Connect, children: Children) -> Client:
    deadline = time.monotonic() + READY_S
    while True:
        children.check()
        try:
            client = await connect(place)
            await client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RuntimeError, RPCError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return client
