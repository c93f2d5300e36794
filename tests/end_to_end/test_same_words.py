"""One rollback, driven in four ways: every surface tells the same state in the same words.

At each instant the rollback's own status is read, then every surface, then the status again. Where
both are of one state, each surface must say just that one. Chat is told by messages on their way:
it must say it within two seconds.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from demo.slack import SlackStandIn
from rollback_manager.client import Rollback
from rollback_manager.contract import Decision, Vote
from rollback_manager.progress import Result, RollbackStatus, State
from rollback_manager.rendering import markdown, terminal_status, words
from rollback_manager.report import build
from starters.history import entries
from tests import encrypted, rig
from tests.commands import typed
from tests.end_to_end.test_web_ui import browser, codec_server, page_of, send
from tests.rig import Rig
from tests.starters.gateway.slack.conftest import POLICY as SLACKS
from tests.starters.gateway.slack.conftest import Chat, opened
from tests.told import SLACK_TOKEN, fitted, slack
from tests.workflows.test_telling import shown
from workers.temporal_server import TemporalServer

__all__ = ["browser"]  # a fixture
TIMEOUTS = rig.POLICY["timeouts"]
assert isinstance(TIMEOUTS, dict)
POLICY = SLACKS | {"timeouts": TIMEOUTS | {"drain_s": 60}}
"""As long as it drains it is looked at."""
LOOKS = 7
"""Instants at each of two states; with the end, and in four ways, they are over fifty."""
LATE_S = 2.0


@dataclass
class Surfaces:
    """One rollback, and all that shows it."""

    chat: Chat
    stand_in: SlackStandIn
    rollback: Rollback

    async def agree(self, state: State) -> None:
        """At one instant, which must be of that state."""
        before = await self.rollback.status()
        texts = await self.texts(before)
        after = await self.rollback.status()
        assert (before.state, after.state) == (state, state)
        word = words.STATES[state]
        others = {other for other in words.STATES.values() if other not in word}
        for name, text in texts.items():
            assert word in text, (name, word, text)
            assert not any(f"{other} " in text for other in others), (name, word, text)
        assert await self.chat_says(word), shown(self.stand_in)

    async def texts(self, status: RollbackStatus) -> dict[str, str]:
        handle = self.chat.rig.client.get_workflow_handle(self.rollback.id)
        told = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        page = await self.chat.http.get(f"/{self.rollback.id}/live")
        return {
            "terminal": _head(terminal_status.status(status, datetime.now(UTC))) + " ",
            "Web UI": told.current_details.split("\n")[0],
            "page": page.text,
        }

    async def chat_says(self, word: str) -> bool:
        until = time.monotonic() + LATE_S
        while not (said := self.stand_in.posted() and word in shown(self.stand_in)):
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.05)
        return bool(said)


def _head(told: str) -> str:
    """The first line; with the second one where a long name has left it no room."""
    first, second, *_ = told.split("\n")
    return first if " " in first.strip() else f"{first.strip()} {second.strip()}"


Approve = Callable[[Surfaces, str], Awaitable[None]]


async def by_client(shown_on: Surfaces, digest: str) -> None:
    vote = Vote(plan=digest, by="ana@example.com")
    await shown_on.rollback.vote(Decision.APPROVE, vote, vote_id="1")


async def by_command(shown_on: Surfaces, digest: str) -> None:
    code, _, said = await typed(
        shown_on.chat.rig, "approve", shown_on.rollback.id, "--plan", digest
    )
    assert code == 0, said


async def by_button(shown_on: Surfaces, _: str) -> None:
    assert "counted" in await shown_on.chat.click(shown_on.rollback, "approve")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    with SlackStandIn() as one:
        monkeypatch.setenv(SLACK_TOKEN, one.token)
        yield one


@pytest.fixture
async def chat(client: Client, tmp_path: Path, stand_in: SlackStandIn) -> AsyncIterator[Chat]:
    """A person must agree; whoever asks is told in the stand-in of Slack."""
    async with rig.rig(client, tmp_path, cached=1000, policy=POLICY, manned=False) as bare:
        with fitted(bare, slack(stand_in)) as made:
            async with made.worker(), opened(made, stand_in) as one:
                yield one


async def _followed(shown_on: Surfaces, approve: Approve) -> None:
    """From the question to the end, with looks at each state."""
    world = shown_on.chat.rig.world
    await shown_on.chat.rig.until(shown_on.rollback, State.WAITING_FOR_APPROVAL)
    for _ in range(LOOKS):
        await shown_on.agree(State.WAITING_FOR_APPROVAL)
    world.in_flight["v2"] = 1  # the drain waits for it
    await approve(shown_on, (await shown_on.rollback.status()).digest)
    await shown_on.chat.rig.step_runs("drain")
    for _ in range(LOOKS):
        await shown_on.agree(State.RUNNING)
    world.in_flight.clear()
    outcome = await shown_on.rollback.result()
    assert outcome.result is Result.VERIFIED
    await ended(shown_on)


async def ended(shown_on: Surfaces) -> None:
    """The end is told by its outcome, on the report as everywhere."""
    texts = await shown_on.texts(await shown_on.rollback.status())
    report = build(await entries(shown_on.chat.rig.client, shown_on.rollback.id))
    for name, text in {**texts, "report": markdown.report(report)}.items():
        assert "verified" in text.lower() or "FINISHED" in text, (name, text)
    assert await shown_on.chat_says("VERIFIED"), shown(shown_on.stand_in)


@pytest.mark.parametrize("approve", [by_client, by_command, by_button])
async def test_every_surface_tells_the_same_state(
    chat: Chat, stand_in: SlackStandIn, approve: Approve
) -> None:
    rollback = await chat.rig.start()
    await _followed(Surfaces(chat, stand_in, rollback), approve)


async def test_a_rollback_steered_from_temporals_web_ui_is_told_the_same(
    chat: Chat,
    stand_in: SlackStandIn,
    temporal: TemporalServer,
    browser: Browser,
    tmp_path: Path,
) -> None:
    async with decrypting(chat.rig, temporal, tmp_path) as codec:

        async def by_web_ui(shown_on: Surfaces, digest: str) -> None:
            page = await page_of(browser, temporal, shown_on.rollback.id, codec)
            await send(page, "Update", "approve", f'{{"plan": "{digest}", "by": "on call"}}')

        rollback = await chat.rig.start()
        await _followed(Surfaces(chat, stand_in, rollback), by_web_ui)


@asynccontextmanager
async def decrypting(made: Rig, temporal: TemporalServer, folder: Path) -> AsyncIterator[str]:
    """Where Temporal's Web UI has payloads decrypted; nowhere unless all of them are encrypted."""
    if not encrypted.is_on():
        yield ""
        return
    async with codec_server(made, temporal.ui_url, folder) as (codec, _):
        yield codec


async def test_who_waits_for_a_person_says_so_everywhere(
    chat: Chat, stand_in: SlackStandIn
) -> None:
    chat.rig.world.journeys_fail = True
    rollback = await chat.rig.start()
    waiting = await chat.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    surfaces = Surfaces(chat, stand_in, rollback)
    await by_client(surfaces, waiting.digest)
    await chat.rig.until(rollback, State.NEEDS_HUMAN)
    for _ in range(LOOKS):
        await surfaces.agree(State.NEEDS_HUMAN)
    await chat.rig.answer(rollback, "skip_step", "verify")
    await rollback.result()
