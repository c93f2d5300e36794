"""A stand-in for an identity provider: real signatures, the real flow, over real HTTP.

It asks for no password: whoever comes is the person that the test has put before it.
"""

import asyncio
import base64
import contextlib
import hashlib
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

CLIENT = "rollback-manager"
SECRET = "client-secret"  # noqa: S105 -- of a stand-in


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class StandInProvider:
    """What it knows, and what it was asked. claims: over the usual ones; None leaves one out."""

    issuer: str
    subject: str = "ana@example.com"
    groups: tuple[str, ...] = ("payments",)
    amr: tuple[str, ...] = ("pwd",)
    claims: dict[str, Any] = field(default_factory=dict)
    kid: str = "one"
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    last_login: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_down: bool = False

    def jwks(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def token(self, nonce: str, **claims: Any) -> str:
        """Its signed word."""
        now = int(datetime.now(UTC).timestamp())
        usual: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": f"id-of-{self.subject}",
            "email": self.subject,
            "email_verified": True,
            "groups": list(self.groups),
            "amr": list(self.amr),
            "auth_time": int(self.last_login.timestamp()),
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
        }
        told = {k: v for k, v in (usual | self.claims | claims).items() if v is not None}
        return jwt.encode(told, self.key, algorithm="RS256", headers={"kid": self.kid})

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def noted(request: Request, go_on: Any) -> Response:
            self.asked.append(request.url.path)
            if self.is_down:
                return Response(status_code=503)
            answer: Response = await go_on(request)
            return answer

        @app.get("/.well-known/openid-configuration")
        async def configuration() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_response_iss_parameter_supported": True,
            }

        @app.get("/authorize")
        async def authorize(request: Request) -> RedirectResponse:
            asked = dict(request.query_params)
            if asked.get("max_age") == "0":
                self.last_login = datetime.now(UTC)  # the person has proven it again
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            back = {"code": code, "state": asked["state"], "iss": self.issuer}
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

        @app.post("/token")
        async def token(request: Request) -> JSONResponse:
            form = dict(await request.form())
            asked = self.codes.pop(str(form.get("code")), None)
            challenge = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
            proof = base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
            right = asked is not None and (
                asked["code_challenge"] == proof
                and asked["redirect_uri"] == form.get("redirect_uri")
                and form.get("client_secret") == SECRET
            )
            if not right or asked is None:
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse({"id_token": self.token(asked["nonce"]), "token_type": "Bearer"})

        @app.get("/keys")
        async def keys() -> dict[str, Any]:
            return self.jwks()

        return app


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Pytest has handlers of its own."""
        yield


@asynccontextmanager
async def provider() -> AsyncIterator[StandInProvider]:
    """One that listens on this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    made = StandInProvider(f"http://127.0.0.1:{listening.getsockname()[1]}")
    config = uvicorn.Config(made.app(), log_config=None, access_log=False)
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield made
    server.should_exit = True
    await serving
