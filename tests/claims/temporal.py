"""Temporal's own server with an authorizer and a claim mapper, on PostgreSQL, and who signs tokens.

It is configured as the image `temporalio/server` is: by the variables of docker-compose.yml, and by
those of deploy/docker-compose.secured.yml, read from there.
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
from ruamel.yaml import YAML
from sqlalchemy import URL, make_url
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, TLSConfig

from demo.ports import PortBlock
from demo.processes import Children
from rollback_manager.contract import SEARCH_ATTRIBUTES
from tests import postgres
from tests.claims import certificates

NAMESPACE = "default"
READ, WRITE, WORKER, ADMIN = (
    f"{NAMESPACE}:{role}" for role in ("read", "write", "worker", "admin")
)
SYSTEM = "temporal-system"
SECURED: dict[str, Any] = YAML(typ="safe").load(
    Path(__file__).parents[2] / "deploy/docker-compose.secured.yml"
)
SOONER = {"TEMPORAL_JWT_KEY_REFRESH": "1s"}
"""Public keys are looked at each minute; no test waits so long."""
READY_S = 60.0
PARTS = ("FRONTEND", "INTERNAL_FRONTEND", "MATCHING", "HISTORY", "WORKER")
PORTS_OF = (
    *(f"{part}_GRPC_PORT" for part in PARTS),
    *(f"{part}_MEMBERSHIP_PORT" for part in PARTS),
    "FRONTEND_HTTP_PORT",
    "INTERNAL_FRONTEND_HTTP_PORT",
)
DATABASES = {"temporal": "temporal", "temporal_visibility": "visibility"}


def documented(service: str, secrets: Path) -> dict[str, str]:
    """What deploy/docker-compose.secured.yml adds to the settings of that service."""
    told: dict[str, str] = SECURED["services"][service]["environment"]
    mounted = "/run/secrets"
    return {name: value.replace(mounted, str(secrets)) for name, value in told.items()}


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
    def secrets(self) -> Path:
        """The folder with the certificates."""
        return self.log.parent

    @property
    def authority(self) -> Path:
        """Whose signature its certificate has."""
        return self.secrets / "ca.pem"

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
        return f"https://127.0.0.1:{self.first + PORTS_OF.index('FRONTEND_HTTP_PORT')}"

    async def client(self, *permissions: str, **more: Any) -> Client:
        """Of somebody who may that; without permissions: with no token at all."""
        token = self.issuer.token(*permissions, **more) if permissions or more else None
        return await self.by(token)

    async def by(self, token: str | None) -> Client:
        tls = TLSConfig(server_root_ca_cert=self.authority.read_bytes())
        return await Client.connect(self.address, namespace=NAMESPACE, api_key=token, tls=tls)


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
        certificates.write(folder)
        keys = {"TEMPORAL_JWT_KEY_SOURCE1": issuer.url, **SOONER}
        settings = {**_plain(at, first, folder), **documented("temporal", folder), **keys}
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
