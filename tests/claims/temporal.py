"""Temporal's own server with an authorizer and a claim mapper, on PostgreSQL, and who signs tokens.

It is configured as the image `temporalio/server` is, by the variables of docker-compose.yml and
those of docs/security.md.
"""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import URL, make_url
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from demo.ports import PortBlock
from demo.processes import Children
from rollback_manager.contract import SEARCH_ATTRIBUTES
from tests import postgres

NAMESPACE = "default"
READ, WRITE, WORKER, ADMIN = (
    f"{NAMESPACE}:{role}" for role in ("read", "write", "worker", "admin")
)
SYSTEM = "temporal-system"
REFRESH_S = 1
"""Between two looks at the public keys; Temporal's own default is a minute."""
READY_S = 60.0
PARTS = ("FRONTEND", "INTERNAL_FRONTEND", "MATCHING", "HISTORY", "WORKER")
PORTS_OF = (
    *(f"{part}_GRPC_PORT" for part in PARTS),
    *(f"{part}_MEMBERSHIP_PORT" for part in PARTS),
    "FRONTEND_HTTP_PORT",
    "INTERNAL_FRONTEND_HTTP_PORT",
)
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}


def claims(keys: str) -> dict[str, str]:
    """What docs/security.md adds to the settings of the server."""
    return {
        "TEMPORAL_AUTH_AUTHORIZER": "default",
        "TEMPORAL_AUTH_CLAIM_MAPPER": "default",
        "TEMPORAL_JWT_KEY_SOURCE1": keys,
        "TEMPORAL_JWT_KEY_REFRESH": f"{REFRESH_S}s",
        "USE_INTERNAL_FRONTEND": "true",
        "TEMPORAL_SERVICES": "frontend,internal-frontend,history,matching,worker",
    }


@dataclass
class Issuer:
    """Signs tokens, and answers with its public keys as an identity provider does."""

    url: str = ""
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    asked: int = 0

    def token(self, *permissions: str, lasts_s: float = 3600, kid: str = "", **more: Any) -> str:
        """For who may that; signed by the newest key, unless another one is named."""
        kid = kid or list(self.keys)[-1]
        now = int(time.time())
        told = {"sub": "somebody", "permissions": list(permissions), "iat": now}
        told |= {"exp": time.time() + lasts_s}
        return jwt.encode({**told, **more}, self.keys[kid], algorithm="ES256", headers={"kid": kid})

    def add(self, kid: str) -> None:
        """A new key, with which tokens are signed from now on."""
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def document(self) -> bytes:
        self.asked += 1
        of = jwt.algorithms.ECAlgorithm.to_jwk
        public = [
            {**of(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "ES256"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": public}).encode()

    async def until_read(self) -> None:
        """The server has fetched the keys once more since now, from first to last byte."""
        seen = self.asked
        async with asyncio.timeout(10):
            while self.asked < seen + 2:
                await asyncio.sleep(0.05)


class Served:
    """The issuer's keys at a port of this machine."""

    def __init__(self, issuer: Issuer) -> None:
        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = issuer.document()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        issuer.url = f"http://127.0.0.1:{self._server.server_address[1]}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass(frozen=True)
class Guarded:
    """A server that asks for tokens, ready to be used."""

    first: int
    issuer: Issuer
    log: Path

    @property
    def address(self) -> str:
        """Of the frontend, which asks for tokens."""
        return f"127.0.0.1:{self.first}"

    @property
    def inner(self) -> str:
        """Of the frontend for the server's own parts."""
        return f"127.0.0.1:{self.first + PORTS_OF.index('INTERNAL_FRONTEND_GRPC_PORT')}"

    @property
    def http(self) -> str:
        """The frontend's own HTTP API."""
        return f"http://127.0.0.1:{self.first + PORTS_OF.index('FRONTEND_HTTP_PORT')}"

    async def client(self, *permissions: str, **more: Any) -> Client:
        """Of somebody who may that; without permissions: with no token at all."""
        token = self.issuer.token(*permissions, **more) if permissions or more else None
        return await self.by(token)

    async def by(self, token: str | None) -> Client:
        return await Client.connect(self.address, namespace=NAMESPACE, api_key=token, tls=False)


@asynccontextmanager
async def guarded(programs: Path, folder: Path) -> AsyncIterator[Guarded]:
    """Up in the block, with the namespace and the search attributes of the product."""
    issuer = Issuer()
    issuer.add("one")
    block = PortBlock()
    with closing(block), postgres.server(block.take()) as url, Served(issuer):
        at = make_url(url)
        _schemas(programs, at)
        first = block.take(len(PORTS_OF))
        children = Children(folder)
        settings = {**_plain(at, first, folder), **claims(issuer.url)}
        words = [f"{name}={value}" for name, value in settings.items()]
        command = ["env", "-i", *words, str(programs / "temporal-server"), "start"]
        children.start("temporal-server", command)
        try:
            one = Guarded(first, issuer, children.log("temporal-server"))
            await _prepare(one, children)
            yield one
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
        "NUM_HISTORY_SHARDS": "4",
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


async def _prepare(one: Guarded, children: Children) -> None:
    """The namespace and the search attributes, by somebody who may do everything."""
    client = await _reached(one, children)
    month = Duration(seconds=30 * 86_400)
    with suppress(RPCError):  # a try before may have been answered late
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(
                namespace=NAMESPACE, workflow_execution_retention_period=month
            ),
            retry=True,
        )
    kinds: Mapping[str, Any] = {
        "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    }
    asked = AddSearchAttributesRequest(
        namespace=NAMESPACE,
        search_attributes={name: kinds[kind] for name, kind in SEARCH_ATTRIBUTES.items()},
    )
    await _again(lambda: client.operator_service.add_search_attributes(asked))
    await _again(lambda: _listed(client))


async def _listed(client: Client) -> None:
    async for _ in client.list_workflows("RollbackEnv = 'x'", page_size=1):
        pass


async def _reached(one: Guarded, children: Children) -> Client:
    deadline = time.monotonic() + READY_S
    while True:
        children.check()
        try:
            client = await one.client(f"{SYSTEM}:admin")
            await client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RuntimeError, RPCError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return client


async def _again(ask: Any) -> None:
    """A new namespace is known everywhere after a while."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            await ask()
        except RPCError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return
