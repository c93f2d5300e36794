"""`incident`: report a bad release, see what is known of it, and decide where it asks."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import Unreachable
from starters import console, naming
from starters.console import Answer
from starters.options import By, Env, Json, Limit, OnlyEnv, Service, Version
from starters.refusals import BLOCKED, GOING_ON, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.client import RollbackClient
    from rollback_manager.incidents.alarms import Alarm
    from rollback_manager.incidents.incident_status import SeenIncident

LONGEST_REASON = 1000
"""Characters: people read it in lists, and history keeps it."""
PRODUCTION_BAD = 5
"""The exit code for "not undone", as for a rollback that did not succeed."""

DECIDE = """Answer an incident that asks a person.

After your word nothing more begins by itself. After fix_forward and monitor
you may still say otherwise.

\b
rollback       go back to the newest known good version; its plan is checked
               and may still ask for an approval
fix_forward    undo nothing: you mend it with a new release, which this tool
               does not make; evidence still joins the incident
monitor        leave it as it is and keep watching: evidence still joins
manual_review  is no answer: it is the verdict by which you are asked
"""
"""Help of `decide`. After `\\b` its lines stay as they are."""

app = console.group()
Why = Annotated[str, typer.Option("--reason", help="What you saw; people will read it.")]


class Word(StrEnum):
    """What a person may decide."""

    ROLLBACK = "rollback"
    FIX_FORWARD = "fix_forward"
    MONITOR = "monitor"


@app.command("list")
def listed(env: OnlyEnv = None, limit: Limit = 50, as_json: Json = False) -> None:
    """List the incidents, newest first, running and ended."""

    async def verb() -> Answer:
        only = naming.named("environment", env) if env else None
        from rollback_manager.rendering import terminal_incident
        from starters.connection import connected

        async with connected() as client:
            runs = await client.incidents.list(env=only, limit=limit)
        document = {"incidents": [run.model_dump(mode="json") for run in runs]}
        return Answer(terminal_incident.listed(runs), document)

    console.run(verb, as_json=as_json)


@app.command()
def show(service: Service, version: Version, env: Env = None, as_json: Json = False) -> None:
    """Show what is known of VERSION.

    Exit 8 while it runs or asks, else as it ended.
    """

    async def verb() -> Answer:
        named = naming.release(env, service, version)
        from starters.connection import connected

        async with connected() as client:
            return await _told(client, await client.incidents.seen(*named))

    console.run(verb, as_json=as_json)


@app.command("open")
def opened(
    service: Service,
    version: Version,
    trigger: Annotated[
        str,
        typer.Option(
            "--trigger", metavar="KIND", help=f"What is wrong: {', '.join(naming.TRIGGERS)}."
        ),
    ],
    reason: Why,
    env: Env = None,
    by: By = None,
    wait_s: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0, help="Seconds to wait for a word.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Report that VERSION is bad.

    Opens its incident, or joins the one that runs.
    """

    async def verb() -> Answer:
        alarm = _alarm(naming.release(env, service, version), trigger, reason, by)
        from starters.connection import connected

        async with connected() as client:
            await client.incidents.report(alarm)
            seen = await _judged(client, alarm, wait_s)
            return _stored(alarm) if seen is None else await _told(client, seen, alarm)

    console.run(verb, as_json=as_json)


@app.command(help=DECIDE)
def decide(
    service: Service,
    version: Version,
    word: Annotated[Word, typer.Argument(metavar="WORD", help="What is to be done.")],
    reason: Why,
    env: Env = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Answer an incident that asks a person; `DECIDE` tells what each word does."""

    async def verb() -> Answer:
        named = naming.release(env, service, version)
        from rollback_manager.contract import incident_id
        from rollback_manager.decision.facts import Action
        from rollback_manager.incidents.incident_status import IncidentVerdict
        from rollback_manager.rendering.layout import foreign, page
        from starters.connection import connected

        who = by or naming.operator()
        verdict = IncidentVerdict(action=Action(word), by=who, reason=_reason(reason))
        async with connected() as client:
            got = await client.incidents.decide(*named, verdict)
        said = "applied" if got.applied else "not applied"
        where, of, this = named
        look = f"rollback-manager incident show {of} {this} --env {where}"
        start = f"; to go back all the same: rollback-manager start {of} --env {where}"
        lines = [
            f"incident decide {word}: {said}: {foreign(got.because)}",
            f"next:  {look}{'' if got.applied else start}",
        ]
        document = {"incident": incident_id(*named), **got.model_dump(mode="json")}
        return Answer(page(lines), document, 0 if got.applied else BLOCKED)

    console.run(verb, as_json=as_json)


def _alarm(named: tuple[str, str, str], trigger: str, reason: str, by: str | None) -> Alarm:
    """An event that a client reports: nothing is measured, so it has no size."""
    from datetime import UTC, datetime

    from rollback_manager.incidents.alarms import Alarm
    from rollback_manager.incidents.triggers import Evidence, Finding, Source

    env, service, version = named
    evidence = Evidence(
        trigger=naming.trigger(trigger),
        finding=Finding.REGRESSED,
        words=f"{by or naming.operator()}: {_reason(reason)}",
        source=Source.CLIENT,
        fired_at=datetime.now(UTC),
    )
    return Alarm(env=env, service=service, version=version, evidence=evidence)


def _reason(given: str) -> str:
    """The reason as one clean line; it goes into lists and pages."""
    from rollback_manager.rendering.layout import foreign

    reason = foreign(given, LONGEST_REASON + 1)
    if not reason or len(reason) > LONGEST_REASON:
        raise UsageError(
            f"the reason is longer than {LONGEST_REASON} characters" if reason else "no reason",
            effect=UNCHANGED,
            next_step='Say in a sentence what you saw: --reason "checkout answers 500"',
        )
    return reason


async def _judged(client: RollbackClient, alarm: Alarm, wait_s: float) -> SeenIncident | None:
    """The incident once it has judged this alarm; None where that takes longer."""

    async def first() -> SeenIncident | None:
        async for seen in client.incidents.changes(alarm.env, alarm.service, alarm.version):
            if seen.ended or _answers(seen, alarm):
                return seen
        return None

    try:
        return await asyncio.wait_for(first(), wait_s)
    except (TimeoutError, Unreachable):
        return None


def _answers(seen: SeenIncident, alarm: Alarm) -> bool:
    return any(
        one.newest.fired_at == alarm.evidence.fired_at for one in seen.status.incident.joined
    )


def _stored(alarm: Alarm) -> Answer:
    """Given, and not judged yet: no worker, much to do, or refused among others."""
    from rollback_manager.contract import incident_id
    from rollback_manager.rendering.layout import page

    name = incident_id(alarm.env, alarm.service, alarm.version)
    lines = [
        f"{name}: the report is stored; no answer has come yet",
        "It is judged once a worker is at it. Refused or too old: the incident says so.",
        f"next:  rollback-manager incident show {alarm.service} {alarm.version} --env {alarm.env}",
    ]
    return Answer(page(lines), {"incident": name, "judged": False}, GOING_ON)


async def _told(client: RollbackClient, seen: SeenIncident, alarm: Alarm | None = None) -> Answer:
    from rollback_manager.rendering import terminal_incident

    incident = seen.status.incident
    document = {"incident": incident.id, "asks": seen.asks, **seen.model_dump(mode="json")}
    refused = alarm is not None and bool(seen.ended) and not _answers(seen, alarm)
    code = BLOCKED if refused else await _code(client, seen)
    return Answer(terminal_incident.incident(seen), document, code)


async def _code(client: RollbackClient, seen: SeenIncident) -> int:
    """While it runs or asks 8; then the rollback's own; 0 where there was nothing to do."""
    from rollback_manager.incidents.incident import Status
    from rollback_manager.incidents.incident_status import UNDONE
    from rollback_manager.progress import exit_code

    status = seen.status
    if status.incident.status in UNDONE:
        return exit_code(await client.rollback(status.rollback).result())
    if not seen.ended:
        return GOING_ON
    unanswered = status.incident.status in {Status.DECISION_MADE, Status.PLANNED}
    return PRODUCTION_BAD if unanswered else 0


def main() -> None:
    """Run `rollback-manager incident`."""
    console.main(app)
