"""A gateway with Slack's door over services without processes, on a port of its own."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from activities.integrations.channels import SlackAnswers
from activities.integrations.sql import engine_for, upgrade
from activities.integrations.sql.replays import SqlReplays
from activities.secrets import Secrets
from demo.slack import SlackPerson, SlackStandIn
from proof.in_process import Fleet
from rollback_manager.authority.people import Accounts
from rollback_manager.catalogue import Catalogue
from starters.gateway.app import make_app
from starters.gateway.auditing import Auditing
from starters.gateway.doors import Binding, Doors
from starters.gateway.slack.door import SlackDoor
from workers import materials
from workers.gateway import served

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # noqa: S105 -- the one of Slack's own documentation
"""Signing secret of the stand-in."""
ANA = SlackPerson(user="UANA")
BOB = SlackPerson(user="UBOB")
PEOPLE = {
    "ana@example.com": Accounts(slack="T1/UANA"),
    "bob@example.com": Accounts(slack="T1/UBOB"),
}
PATH = "/slack/buttons"
T1 = {"tier_up_without_evidence": False}
"""Decisions of an environment in which a click in chat is a vote: from T2 on it is none."""


@dataclass(frozen=True)
class SlackGate:
    """The open gateway; `http` stands before it."""

    url: str
    doors: Doors
    door: SlackDoor
    stand_in: SlackStandIn
    http: httpx.AsyncClient


def peopled(catalogue: Catalogue) -> Catalogue:
    """The same catalogue, with two people who have accounts in the stand-in."""
    return catalogue.model_copy(update={"people": PEOPLE})


@asynccontextmanager
async def slack_gate(made: Fleet, stand_in: SlackStandIn) -> AsyncIterator[SlackGate]:
    """Until the end of the block. Its replays are in the fleet's own records."""
    port = free_port()
    at = Binding("127.0.0.1", port, f"http://127.0.0.1:{port}", (f"127.0.0.1:{port}",))
    engine = engine_for(f"sqlite:///{made.settings.data / 'gateway.sqlite'}")
    upgrade(engine)
    client = materials.http_client()
    with closing(client):
        door = SlackDoor(
            teams=frozenset({"T1"}),
            apps=frozenset({"A1"}),
            answers=SlackAnswers(stand_in.api, lambda: stand_in.token, client, stand_in.url),
            secrets=lambda: (SECRET,),
        )
        doors = Doors(
            rollbacks=made.rollbacks,
            catalogue=peopled(made.catalogue),
            binding=at,
            now=lambda: datetime.now(UTC),
            replays=SqlReplays(engine),
            auditing=Auditing(materials.audit(made.settings, engine, Secrets())),
            slack=door,
        )
        async with (
            served(make_app(doors), at, hurried),
            httpx.AsyncClient(base_url=at.origin, trust_env=False) as http,
        ):
            yield SlackGate(at.origin, doors, door, stand_in, http)
    engine.dispose()


def hurried() -> float:
    """A clock for the limits' rates: an attack from one address is judged, not turned away."""
    return time.monotonic() * 1000


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
