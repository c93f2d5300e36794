"""One whole rollback in which secrets stand wherever texts of others come in."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from temporalio.client import Client

from activities.integrations.sql import SqlAudit
from proof.stand_ins import StandInService
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import MarkRelease, PauseCommand, ReleaseRequest
from rollback_manager.errors import TemporaryError, Unreachable
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.progress import Result, RollbackStatus, State
from rollback_manager.release import Standing
from rollback_manager.rendering import html, markdown
from rollback_manager.report import build
from rollback_manager.verification import Verdict
from starters.gateway.auditing import Auditing
from starters.history import entries
from tests import incident_rig, rig
from tests.canaries import Canaries, Surface, of_history
from tests.rig import Rig
from tests.starters.gateway.slack.conftest import Chat, opened
from tests.surfaces import API, AWAY, PAGES, Audience, pages
from tests.told import fitted
from workers.telemetry import Telemetry
from workers.worker import make_worker

log = logging.getLogger("a library of somebody else")

WORD = "wordofnosecret"
"""Stands beside secrets, and must be found where they are not: else nobody has looked."""
WHERE = (
    "argument of a log line", "fact of a log line", "header of an answer", "command for people",
    "statement in an exception", "header in our error", "effect of our error",
    "next step of our error", "webhook URL", "exception of a library", "its cause",
    "label of a metric", "reason of a request", "who requested it", "who paused",
    "reason of a vote", "who voted", "reason of a pause", "because of a release",
    "log of a stack", "its own cause", "words of an alarm", "answer of Temporal",
)  # fmt: skip


@dataclass
class Leaking(StandInService):
    """A stand-in whose every answer repeats a secret, as real ones do when asked wrongly."""

    planted: Canaries = field(default_factory=Canaries)
    errors: list[Exception] = field(default_factory=list)

    def set_shares(self, *arguments: object, **more: object) -> None:
        log.warning("retrying %s", self.planted["argument of a log line"])
        log.warning("retrying", extra={"url": self.planted["fact of a log line"]})
        if self.errors:
            raise self.errors.pop()
        super().set_shares(*arguments, **more)  # type: ignore[arg-type] # as they came

    def run(self) -> tuple[Verdict, ...]:
        (passed,) = super().run()
        said = f"200; Set-Cookie: {self.planted['header of an answer']}"
        return (passed.model_copy(update={"because": said}),)

    def by_hand(self, *_: object) -> tuple[str, ...]:
        return (f"curl -u admin:{self.planted['command for people']} http://envoy",)


def raised(what: Exception, cause: Exception | None = None) -> Exception:
    """With a stack and a cause, as it comes out of a library."""
    try:
        raise what from cause
    except Exception as error:  # noqa: BLE001 -- whatever it is
        return error


def errors(planted: Canaries) -> list[Exception]:
    """What four attempts fail with."""
    sql = f"SELECT 1 -- {planted['statement in an exception']}"
    return [
        raised(Unreachable(f"401 for Bearer {planted['header in our error']}", effect="None.")),
        raised(
            TemporaryError(
                "try later",
                effect=planted["effect of our error"],
                next_step=planted["next step of our error"],
            ),
            ConnectionError(f"POST https://hooks.example/{planted['webhook URL']}"),
        ),
        raised(ValueError(planted["exception of a library"]), KeyError(planted["its cause"])),
        raised(RuntimeError(f"{sql} {planted['label of a metric']}{{}}")),
    ]


class Away(RollbackClient):
    """Before a Temporal whose every answer repeats a secret. said: that answer."""

    said = ""

    def rollback(self, rollback: str) -> Rollback:
        """One that cannot be asked."""
        return _Away(super().rollback(rollback), self.said)


class _Away(Rollback):
    def __init__(self, real: Rollback, said: str) -> None:
        super().__init__(real._client, real.id)
        self._said = said

    async def status(self) -> RollbackStatus:
        raise Unreachable(f"Temporal does not answer: {self._said}")


@dataclass
class Site:
    """Where a rollback leaves something, and what it was seen to leave."""

    client: Client
    folder: Path
    planted: Canaries
    people: Audience
    surfaces: dict[str, Surface] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """What stands for `{id}`, `{service}` and `{incident}` in the names of pages."""

    def shown(self, surfaces: Iterable[str]) -> set[str]:
        """Names of surfaces, with the real names of things in them."""
        return {one.format(**self.names) for one in surfaces}

    async def roll_back(self, chain: SqlAudit, telemetry: Telemetry) -> None:
        """One whole rollback with all that people can say in one; four attempts at it fail."""
        policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
        async with rig.rig(
            self.client, self.folder, cached=1000, policy=policy, manned=False, audit=chain
        ) as plain:
            world = Leaking({"v2": 100}, {"v1": 3, "v2": 3})
            world.planted, world.errors = self.planted, errors(self.planted)
            with fitted(replace(plain, world=world), *self.people.notifications()) as made:
                worker = make_worker(made.client, made.settings, made.parts, telemetry.interceptors)
                auditing = Auditing(chain)
                async with worker, opened(made, self.people.slack, auditing=auditing) as chat:
                    await self._decided(made, chat)
            assert not world.errors, "all of them were raised"

    async def _decided(self, made: Rig, chat: Chat) -> None:
        planted = self.planted
        rollback = await made.start(
            reason=f"{WORD} {planted['reason of a request']}",
            requested_by=planted["who requested it"],
        )
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        following = asyncio.create_task(chat.http.get(f"/api/v1/{rollback.id}/events"))
        async with suspected(made, planted["words of an alarm"]) as incident:
            await self._looked_at("waiting", chat, rollback, incident)
            pause = PauseCommand(by=planted["who paused"], reason=planted["reason of a pause"])
            await rollback.pause(pause)
            await rollback.resume(pause)
            await made.approve(
                rollback, reason=planted["reason of a vote"], by=planted["who voted"]
            )
            assert (await rollback.result()).result is Result.VERIFIED
            await made.rollbacks.releases(mark(made.service, planted["because of a release"]))
            await self._looked_at("ended", chat, rollback, incident)
        self.surfaces["event stream"] = (await following).text
        await self._asked_while_away(made, rollback)
        for number, history in enumerate(await made.histories(rollback)):
            self.surfaces[f"history {number}"] = of_history(history)
        report = build(await entries(made.client, rollback.id))
        self.surfaces["report in Markdown"] = markdown.report(report)
        self.surfaces["report in HTML"] = html.report(report)
        self.surfaces["report in JSON"] = report.model_dump_json()
        self.surfaces["status"] = (await rollback.status()).model_dump_json()

    async def _looked_at(self, when: str, chat: Chat, rollback: Rollback, incident: str) -> None:
        """By everybody: all pages, and what Slack's own verbs and buttons answer."""
        self.names = {"id": rollback.id, "service": chat.rig.service, "incident": incident}
        self.surfaces |= await pages(chat.http, when, (*PAGES, *API), **self.names)
        key = rollback.id.removeprefix("rollback/")
        for text in (f"status {key}", f"plan {chat.rig.service} test {WORD}", "status test/none"):
            self.people.answers.append(await chat.typed(text))
        self.people.answers.append(await chat.click(rollback, "approve", nonce="of-another-plan"))

    async def _asked_while_away(self, made: Rig, rollback: Rollback) -> None:
        """Temporal answers with a secret, to whoever asks by whatever door."""
        away = Away(made.client, task_queue=made.settings.task_queue)
        away.said = self.planted["answer of Temporal"]
        async with opened(made, self.people.slack, rollbacks=away) as chat:
            self.surfaces |= await pages(chat.http, "away", AWAY, **self.names)
            key = rollback.id.removeprefix("rollback/")
            self.people.answers.append(await chat.typed(f"status {key}"))
            await chat.click(rollback, "abort", nonce="any")


@asynccontextmanager
async def suspected(made: Rig, words: str) -> AsyncIterator[str]:
    """An open incident of v2 for which people are asked; its id."""
    asks = TriggerKind.DATA_CORRUPTION
    await incident_rig.give(made, incident_rig.alarm(made, trigger=asks, words=f"{WORD} {words}"))
    handle = incident_rig.incident(made)
    yield handle.id
    await handle.terminate("the test is over")


def mark(service: str, because: str) -> ReleaseRequest:
    ask = MarkRelease(
        env="test", service=service, version="v1", by="ana", standing=Standing.VERIFIED,
        because=because,
    )  # fmt: skip
    return ReleaseRequest(ask=ask)
