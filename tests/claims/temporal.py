"""Temporal's own server with an authorizer and a claim mapper, on PostgreSQL, and who signs tokens.

It is configured as the image `temporalio/server` is: by the variables of docker-compose.yml, and by
those of deploy/docker-compose.secured.yml, read from there.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from ruamel.yaml import YAML
from temporalio.client import Client
from temporalio.service import TLSConfig

from proof.temporal_server.running import NAMESPACE, Place, running
from tests.claims import certificates

READ, WRITE, WORKER, ADMIN = (
    f"{NAMESPACE}:{role}" for role in ("read", "write", "worker", "admin")
)
SYSTEM = "temporal-system"
SECURED: dict[str, Any] = YAML(typ="safe").load(
    Path(__file__).parents[2] / "deploy/docker-compose.secured.yml"
)
SOONER = {"TEMPORAL_JWT_KEY_REFRESH": "1s"}
"""Public keys are looked at each minute; no test waits so long."""


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

    place: Place
    issuer: Issuer

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.place.log

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
        return self.place.address

    @property
    def inner(self) -> str:
        """Of the frontend for the server's own parts."""
        return f"127.0.0.1:{self.place.port('INTERNAL_FRONTEND_GRPC_PORT')}"

    @property
    def http(self) -> str:
        """The frontend's own HTTP API."""
        return f"https://127.0.0.1:{self.place.port('FRONTEND_HTTP_PORT')}"

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
    with Served(issuer):
        certificates.write(folder)
        keys = {"TEMPORAL_JWT_KEY_SOURCE1": issuer.url, **SOONER}
        settings = {**documented("temporal", folder), **keys}

        async def everything(place: Place) -> Client:
            return await Guarded(place, issuer).client(f"{SYSTEM}:admin")

        async with running(programs, folder, everything, settings=settings) as place:
            yield Guarded(place, issuer)
