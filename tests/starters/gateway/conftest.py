"""A gateway over the tests' Temporal, asked as HTTP asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import Response
from temporalio.client import Client

from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from rollback_manager.authority.people import Person
from starters.gateway.app import make_app
from starters.gateway.auditing import Auditing
from starters.gateway.doors import Binding, Doors
from starters.gateway.seal import Seal
from starters.gateway.sign_in.flow import SignIn
from starters.gateway.sign_in.provider import Provider
from starters.gateway.signing import SigningKey
from tests import rig
from tests.chains import KEY
from tests.rig import Rig
from tests.secured import GROUPS, NOW, secured_rig

ORIGIN = "http://127.0.0.1:8088"
OPERATOR = "local:tester"
ANA, BO, EVE = (f"{name}@example.com" for name in ("ana", "bo", "eve"))
SOON = datetime.now(UTC) + timedelta(hours=1)


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


def cookie(sign_in: SignIn, subject: str) -> dict[str, str]:
    """As a browser sends it whose person has just come back from the provider."""
    answer = Response()
    person = Person(subject=subject, groups=GROUPS[subject], method="web")
    sign_in.sessions.begin(answer, person, None)
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@dataclass
class Secured:
    """A secured environment, its gateway, and the audit chain behind it."""

    gate: Gate
    chain: SqlAudit

    @property
    def service(self) -> str:
        return self.gate.rig.service

    def as_(self, subject: str) -> dict[str, str]:
        assert self.gate.doors.sign_in is not None
        return cookie(self.gate.doors.sign_in, subject)

    async def ask(self, by: str, path: str = "", key: str = "", **body: Any) -> httpx.Response:
        headers = self.as_(by) | ({"Idempotency-Key": key} if key else {})
        return await self.gate.http.post(
            "/api/v1/freezes" + path, json={"env": "test", **body}, headers=headers
        )

    async def freeze(self, by: str, key: str = "", **body: Any) -> httpx.Response:
        words = {"until": SOON.isoformat(), "reason": "inventory"}
        return await self.ask(by, "", key, **{"service": self.service, **words, **body})

    async def get(self, path: str) -> httpx.Response:
        return await self.gate.http.get(path, headers=self.as_(ANA))

    async def ids(self) -> list[str]:
        return [one["id"] for one in (await self.get("/api/v1/freezes?env=test")).json()["freezes"]]

    def audited(self) -> list[tuple[str, str, str]]:
        return [(e.subject, e.action, e.outcome[:20]) for e in self.chain.entries()]


@pytest.fixture
async def at(client: Client, tmp_path: Path) -> AsyncIterator[Secured]:
    engine = engine_for(f"sqlite:///{tmp_path}/audit.db")
    upgrade(engine)
    chain = SqlAudit(engine, lambda: KEY, AnchorFile(tmp_path / "anchor" / "audit.jsonl"))
    async with rig.rig(client, tmp_path, cached=1000, manned=False) as bare:
        made = secured_rig(bare)
        sign_in = SignIn(cast(Provider, None), Seal(), ORIGIN, lambda: datetime.now(UTC))
        async with (
            made.worker(),
            opened(
                made,
                auditing=Auditing(chain),
                sign_in=sign_in,
                signer=lambda: SigningKey("now", NOW),
            ) as gate,
        ):
            yield Secured(gate, chain)
    engine.dispose()
