"""The gateway where people sign in, driven by HTTP as a browser drives it."""

import html
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from rollback_manager.client import RollbackClient
from starters.gateway.app import make_app
from starters.gateway.seal import Seal
from starters.gateway.sign_in.id_token import Issuer
from starters.gateway.signing import SigningKey
from tests.rig import Rig
from tests.secured import GROUPS, NOW
from tests.starters.gateway.conftest import ORIGIN, doors_of
from tests.starters.gateway.identity_provider import CLIENT, SECRET, StandInProvider, provider
from workers.sign_in import signing_in


@dataclass(frozen=True)
class Gateway:
    """Its app, and the provider at which people sign in."""

    app: FastAPI
    ids: StandInProvider

    @asynccontextmanager
    async def person(self, subject: str) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody with a browser of their own, who has just proven with two factors who it is."""
        self.ids.subject, self.ids.groups, self.ids.amr = subject, GROUPS[subject], ("pwd", "otp")
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            begun = await http.get("/sign-in", params={"then": "/services", "anew": True})
            async with httpx.AsyncClient() as browser:
                sent_back = await browser.get(begun.headers["location"])
            assert (await http.get(sent_back.headers["location"])).status_code == 303
            yield http

    async def approve(self, subject: str, where: str, service: str) -> httpx.Response:
        """From the page that asks, with the service typed out."""
        action = f"/{where}/approve"
        async with self.person(subject) as http:
            page = (await http.get(action)).text
            form = _fields(page, action) | {"confirm": service}
            sent = await http.post(action, data=form, headers={"Origin": ORIGIN})
            if sent.status_code != 303:
                return sent
            return await http.get(sent.headers["location"])


def _fields(page: str, action: str) -> dict[str, str]:
    form = re.search(rf'<form method="post" action="{re.escape(action)}">(.*?)</form>', page, re.S)
    assert form, page
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[1])
    return {name: html.unescape(value) for name, value in hidden}


@asynccontextmanager
async def gateway(made: Rig, rollbacks: RollbackClient) -> AsyncIterator[Gateway]:
    """Of the rig's catalogue, with a connection to Temporal of its own."""
    seal = Seal()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731 -- a clock
    async with provider() as ids:
        issuer = Issuer(issuer=ids.issuer, client_id=CLIENT, client_secret=SecretStr(SECRET))
        async with signing_in(issuer, seal, ORIGIN, now) as sign_in:
            doors = replace(
                doors_of(made),
                rollbacks=rollbacks,
                seal=seal,
                sign_in=sign_in,
                signer=lambda: SigningKey("now", NOW),
            )
            yield Gateway(make_app(doors), ids)
