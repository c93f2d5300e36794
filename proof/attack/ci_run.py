"""The door of CI under attack: tokens with one thing wrong each, then one good token many times.

Against the app itself, without the layer that counts requests: it would refuse most of them unread.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
from fastapi import FastAPI

from activities.integrations.sql import engine_for, upgrade
from activities.integrations.sql.replays import SqlReplays
from proof.attack.identity_provider import AUDIENCE, Provider, rules
from proof.attack.tokens import Bad, bad_tokens
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.ci_rules import Source
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from rollback_manager.values import Value
from starters.gateway.app import make_app
from starters.gateway.ci.door import CiDoor, key_sets
from starters.gateway.doors import Binding, Doors

TOKENS, REPLAYS = 1200, 1000
"""Of each issuer, and of one token of each."""
SAMPLE = 16
"""With `quick` every sixteenth token, and as many replays."""
AT_ONCE = 20
SIGN_IN = "/api/v1/ci/credentials"
HERE = "http://127.0.0.1:8088"
REFUSALS = frozenset({401, 403, 422})
SEED = 20261128
NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)


class CiAttacked(Value):
    """What came of it. accepted: bad tokens that were not refused, each in words in `violations`.

    replays: of good tokens; credentials: that they were worth; right is one for each issuer.
    """

    tried: int
    accepted: int
    server_errors: int
    statuses: dict[str, int]
    violations: tuple[str, ...]
    replays: int
    credentials: int


async def attack(folder: Path, *, quick: bool = False, seed: int = SEED) -> CiAttacked:
    """Against both issuers, each with its real signatures and a clock that stands still."""
    found, worth = Counter[str](), 0
    violations: list[str] = []
    times = REPLAYS // SAMPLE if quick else REPLAYS
    for source in Source:
        provider = Provider(source, NOON)
        app = httpx.ASGITransport(_app(provider, folder / source), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=app, base_url=HERE) as http:
            drawn = Random(seed)
            bad = list(bad_tokens(provider, drawn, TOKENS))[:: SAMPLE if quick else 1]
            for (what, _), status in zip(bad, await _sent(http, bad), strict=True):
                found[str(status)] += 1
                if status not in REFUSALS:
                    violations.append(f"{source}: {what}: {status}")
            again = [("again", provider.token())] * times
            worth += (await _sent(http, again)).count(201)
    return CiAttacked(
        tried=found.total(),
        accepted=len(violations),
        server_errors=sum(n for status, n in found.items() if status.startswith("5")),
        statuses=dict(found),
        violations=tuple(violations),
        replays=times * len(Source),
        credentials=worth,
    )


async def _sent(http: httpx.AsyncClient, tokens: Iterable[Bad]) -> list[int]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(token: str) -> int:
        async with turn:
            return (await http.post(SIGN_IN, json={"token": token})).status_code

    return await asyncio.gather(*(one(token) for _, token in tokens))


def _app(provider: Provider, folder: Path) -> FastAPI:
    """A gateway that believes this issuer, and remembers in records of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    return make_app(
        Doors(
            rollbacks=RollbackClient(),
            catalogue=_catalogue(provider.source),
            binding=Binding("127.0.0.1", 8088, HERE, (HERE.removeprefix("http://"),)),
            now=lambda: provider.now,
            ci=CiDoor(
                issuers=(provider.issuer,),
                keys=key_sets((provider.issuer,), lambda url, at_most: provider.jwks()),
                replays=SqlReplays(engine),
                credentials=Credentials(AUDIENCE.ljust(32).encode()),
            ),
        )
    )


def _catalogue(source: Source) -> Catalogue:
    """One service that runs nowhere, for nothing of it is reached."""
    service = {"strategy": "blue_green", "environments": {}, "ci": [rules(source)]}
    return Catalogue.model_validate(
        {"version": 1, "environments": {"production": {}}, "services": {"shop": service}}
    )
