"""What the identity provider says of itself, and the exchange of a code for its word."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from rollback_manager.values import Value
from starters.gateway.key_set import KeySet
from starters.gateway.sign_in.id_token import Issuer, NotSignedIn
from starters.gateway.sign_in.web import Web, away, document

KEPT = timedelta(hours=1)
"""What it says of itself is asked for again after so long."""
JUST_NOW = timedelta(seconds=5)
"""Before somebody is sent there it must have answered within so long: that it is away, a person
hears from us, with what can be done meanwhile."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Endpoints(Value):
    """Where to go."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    says_issuer: bool = False
    """Whether it names itself when it sends people back (RFC 9207); then it must."""


class Provider:
    """One identity provider. web: the way to it."""

    def __init__(self, of: Issuer, web: Web, now: Callable[[], datetime]) -> None:
        self.of = of
        self._web = web
        self._now = now
        self._known: tuple[Endpoints, datetime] | None = None
        self._one_at_a_time = asyncio.Lock()
        self.keys = KeySet(
            self._key_set,
            lambda: away("its keys cannot be read"),
            lambda: now().timestamp(),
        )

    async def endpoints(self, kept: timedelta = KEPT) -> Endpoints:
        """As its discovery document says. Unreachable where it says nothing."""
        async with self._one_at_a_time:
            if self._known is None or self._now() - self._known[1] > kept:
                url = self.of.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = document(await self._web.get(url), "its configuration")
                self._known = (_endpoints(found, self.of.issuer), self._now())
            return self._known[0]

    async def way_in(self, asked: Mapping[str, str]) -> str:
        """The address at which a person proves who they are."""
        to = (await self.endpoints(JUST_NOW)).authorization_endpoint
        return f"{to}{'&' if urlsplit(to).query else '?'}{urlencode(asked)}"

    async def id_token(self, code: str, verifier: str, redirect_uri: str) -> str:
        """Its word for the code. NotSignedIn where it refuses, Unreachable where it is away."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "client_id": self.of.client_id,
        }
        if secret := self.of.client_secret.get_secret_value():
            fields["client_secret"] = secret
        answer = await self._web.post((await self.endpoints()).token_endpoint, fields)
        if 400 <= answer[0] < 500:
            raise NotSignedIn("the provider refused the code: it was used, or is too old")
        token = document(answer, "the code").get("id_token")
        if not isinstance(token, str):
            raise NotSignedIn("the provider gave no word on who came")
        return token

    async def _key_set(self) -> dict[str, Any]:
        return document(await self._web.get((await self.endpoints()).jwks_uri), "its keys")


def _endpoints(found: Mapping[str, Any], issuer: str) -> Endpoints:
    if found.get("issuer") != issuer:
        raise away("it calls itself by another name than the one that is set")
    named = {name: found.get(name) for name in Endpoints.model_fields if name != "says_issuer"}
    for name, url in named.items():
        if not isinstance(url, str) or not _is_safe(url):
            raise away(f"its {name} is no https address")
    says = found.get("authorization_response_iss_parameter_supported") is True
    return Endpoints.model_validate({**named, "says_issuer": says})


def _is_safe(url: str) -> bool:
    """https; plain http on this machine alone, where a stand-in of tests may be."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
