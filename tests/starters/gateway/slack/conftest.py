"""A gateway with Slack's door over the tests' Temporal, and a stand-in of Slack behind it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from activities.integrations.channels import SlackAnswers
from activities.integrations.sql import SqlRecords
from activities.integrations.sql.replays import SqlReplays
from demo.slack import SlackPerson, SlackStandIn, signed
from proof.attack.slack_gate import ANA, SECRET, peopled
from rollback_manager.client import Rollback
from rollback_manager.progress import RollbackStatus, State
from starters.gateway.app import make_app
from starters.gateway.doors import Doors
from starters.gateway.slack.answering import AT_WORK
from starters.gateway.slack.door import SlackDoor
from tests import rig
from tests.rig import Rig
from tests.starters.gateway.conftest import ORIGIN, doors_of
from workers import materials

POLICY: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}


@dataclass
class Chat:
    """People in Slack before a gateway. All that they are told stands in the stand-in."""

    rig: Rig
    doors: Doors
    door: SlackDoor
    slack: SlackStandIn
    http: httpx.AsyncClient
    live: list[str]
    """Signing secrets that count now; the last one is Slack's."""

    async def send(self, body: bytes, path: str = "/slack/buttons", **more: str) -> httpx.Response:
        """As Slack sends it, signed now."""
        headers = {**signed(self.live[-1], body, datetime.now(UTC).timestamp()), **more}
        return await self.http.post(path, content=body, headers=headers)

    async def click(
        self, rollback: Rollback, action: str, who: SlackPerson = ANA, nonce: str | None = None
    ) -> str:
        """What the person is told after a click."""
        if nonce is None:
            nonce = (await rollback.status()).nonce
        value = f"{rollback.id.removeprefix('rollback/')}.{nonce}"
        return await self.told(who.click(action, value))

    async def told(self, body: bytes) -> str:
        """What the person who sent that is told, of a click."""
        before = len(self.slack.ephemeral)
        answer = await self.send(body)
        assert answer.status_code == 200, answer.text
        await self.slack.until(lambda: len(self.slack.ephemeral) > before)
        return said(self.slack.ephemeral[-1])

    async def typed(self, text: str, who: SlackPerson = ANA) -> str:
        """What the person is told of a slash command: at once, or on a busy machine later."""
        before = len(self.slack.responses)
        answer = await self.send(
            replace(who, hooks=self.slack.url).command(text), "/slack/commands"
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["response_type"] == "ephemeral"
        if (told := said(answer.json())) != AT_WORK:
            return told
        await self.slack.until(lambda: len(self.slack.responses) > before)
        return said(self.slack.responses[-1])

    async def waiting(self) -> Rollback:
        """A rollback that waits for a vote."""
        rollback = await self.rig.start()
        await self.rig.until(rollback, State.WAITING_FOR_APPROVAL)
        return rollback

    async def decided(self, rollback: Rollback) -> list[tuple[str, bool]]:
        """Whose votes were recorded, and whether they counted."""
        status: RollbackStatus = await rollback.status()
        return [(one.by, one.counted) for one in status.decisions]


def said(message: dict[str, Any]) -> str:
    """The text of an answer, with the address behind its button."""
    blocks = message["blocks"]
    links = [one["url"] for block in blocks for one in block.get("elements", ())]
    return " ".join([blocks[0]["text"]["text"], *links])


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as one:
        yield one


@asynccontextmanager
async def opened(made: Rig, slack: SlackStandIn, **more: Any) -> AsyncIterator[Chat]:
    """Slack's door before that rig."""
    client = materials.http_client()
    answers = SlackAnswers(slack.api, lambda: slack.token, client, slack.url)
    live = [SECRET]
    door = SlackDoor(
        teams=frozenset({"T1"}),
        apps=frozenset({"A1"}),
        answers=answers,
        secrets=lambda: tuple(live),
        pages="https://rollback.example.com",
    )
    doors = doors_of(made)
    doors = replace(
        doors,
        catalogue=peopled(doors.catalogue),
        replays=SqlReplays(engine_of(made.records)),
        slack=door,
        **more,
    )
    transport = httpx.ASGITransport(make_app(doors), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield Chat(made, doors, door, slack, http, live)
    client.close()


def engine_of(records: SqlRecords) -> Any:
    return records._engine  # the tests' own database, already brought up to date


@pytest.fixture
async def chat(client: Client, tmp_path: Path, slack: SlackStandIn) -> AsyncIterator[Chat]:
    """v1 verified and warm, v2 bad with all the traffic; a person must agree, at T1."""
    async with rig.rig(client, tmp_path, cached=1000, policy=POLICY, manned=False) as bare:
        made = replace(bare, decisions={"tier_up_without_evidence": False})
        async with made.worker(), opened(made, slack) as one:
            yield one
