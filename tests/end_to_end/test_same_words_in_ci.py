"""The fourth way: a job of CI asks, and tells what every other surface tells.

The action's own script, run by bash in the environment that GitHub's runner gives it. The job signs
in at the gateway by a token of its own, and reaches neither Temporal nor a secret. It may ask, and
not agree: somebody else does, in Slack.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from demo.slack import SlackStandIn
from rollback_manager.client import Rollback
from rollback_manager.errors import NotFound
from rollback_manager.progress import Result, State
from rollback_manager.rendering import words
from starters.ci.job import Job, Source
from tests.end_to_end.test_same_words import (
    LATE_S,
    LOOKS,
    Surfaces,
    by_button,
    chat,
    ended,
    stand_in,
)
from tests.incident_rig import end_budget
from tests.starters.ci.test_action import act, runner
from tests.starters.gateway.slack.conftest import Chat
from tests.starters.test_by_gateway import github, open_to_ci, typed

__all__ = ["chat", "runner", "stand_in"]  # fixtures
PATIENCE_S = 20


@pytest.fixture
async def budget(client: Client) -> AsyncIterator[None]:
    """The environment's budget counts the start, and runs on the queue of who asked first."""
    await end_budget(client)
    yield
    await end_budget(client)


@dataclass
class Running:
    """A job at work, and the rollback that it asked for. env: what a second step of it has."""

    work: asyncio.Task[tuple[int, str, dict[str, str]]]
    rollback: Rollback
    folder: Path
    env: dict[str, str]
    gateway: str

    async def says(self, state: State) -> bool:
        """The newest state in its log, as it grows, within two seconds."""
        until = time.monotonic() + LATE_S
        while self._newest() != words.STATES[state] and time.monotonic() < until:
            await asyncio.sleep(0.05)
        return self._newest() == words.STATES[state]

    def _newest(self) -> str:
        """Of the lines that begin with a time; of those the last that tells a state."""
        told = [line[10:] for line in (self.folder / "log").read_text().splitlines()]
        states = words.STATES.values()
        found = [one for line in told for one in states if line.split(" · ")[0] == one]
        return found[-1] if found else ""


@pytest.fixture
async def job(chat: Chat, runner: Path, budget: None) -> AsyncIterator[Running]:
    """On a machine that cannot reach Temporal."""
    made = chat.rig
    async with open_to_ci(made) as gate:
        with github(gate.provider) as tokens:
            audience = tokens["ROLLBACK_GATEWAY_AUDIENCE"]
            inputs = {"services": made.service, "environment": "test", "confirm": made.service}
            inputs |= {"gateway": gate.url, "audience": audience, "reason": "smoke test failed"}
            nowhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1", **tokens}
            key = Job(Source.GITHUB, "acme/shop", runner.name, "deploy").key([made.service])
            work = asyncio.create_task(act(runner, nowhere, **inputs))
            rollback = made.rollbacks.rollback(f"rollback/test/{key}")
            env = {"ROLLBACK_GATEWAY": gate.url, "ROLLBACK_ENV": "test", **tokens}
            yield Running(work, rollback, runner, env, gate.url)
            work.cancel()


async def _begun(job: Running, chat: Chat) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            assert not job.work.done(), job.work.result()
            with suppress(NotFound):
                await chat.rig.until(job.rollback, State.WAITING_FOR_APPROVAL)
                return
            await asyncio.sleep(0.1)


async def test_a_job_of_ci_tells_the_same_and_cannot_agree(
    chat: Chat, stand_in: SlackStandIn, job: Running
) -> None:
    await _begun(job, chat)
    surfaces = Surfaces(chat, stand_in, job.rollback)
    for _ in range(LOOKS):
        await surfaces.agree(State.WAITING_FOR_APPROVAL)
        assert await job.says(State.WAITING_FOR_APPROVAL)
    digest = (await job.rollback.status()).digest
    vote = ("approve", job.rollback.id, "--plan", digest, "--confirm", chat.rig.service)
    code, document, _ = await typed(job.env, *vote)
    assert (code, document["error"]) == (4, "NotPermitted")
    await surfaces.agree(State.WAITING_FOR_APPROVAL)
    chat.rig.world.in_flight["v2"] = 1  # the drain waits for it
    await by_button(surfaces, digest)
    await chat.rig.step_runs("drain")
    for _ in range(LOOKS):
        await surfaces.agree(State.RUNNING)
        assert await job.says(State.RUNNING)
    chat.rig.world.in_flight.clear()
    assert (await job.rollback.result()).result is Result.VERIFIED
    await ended(surfaces)
    await _left(job)
    status = await job.rollback.status()
    assert status.requested_by == "ci:github/4711"
    assert [one.by for one in status.decisions] == ["ana@example.com"]


async def _left(job: Running) -> None:
    """Exit code, log, annotations, outputs and summary, in the words of all others."""
    code, log, outputs = await job.work
    told = [line.partition(" ")[2] for line in log.splitlines()]
    assert (code, "VERIFIED" in told) == (0, True), log
    assert f"::notice title={job.rollback.id} verified (exit 0)::" in log
    assert "::warning title=gate impact_assessment::" in log, "a gate that could not tell"
    report = f"{job.gateway}/{job.rollback.id}/report"
    assert outputs == {
        "rollback_id": job.rollback.id,
        "outcome": "verified",
        "report_url": report,
        "exit_code": "0",
    }
    summary = (job.folder / "summary").read_text()
    assert re.match(r"### VERIFIED: \w+ v2 → v1 in test \(exit 0\)\n", summary)
    assert "<details><summary>steps, plan " in summary
    assert "| drain |" in summary, "its steps, by the gateway"
    async with httpx.AsyncClient(trust_env=False) as http:
        page = await http.get(report)
    assert (page.status_code, "VERIFIED" in page.text) == (200, True)
