"""Incidents: releases that are said to be bad, what says so, and what was decided."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.client.incidents import ListedIncident
from rollback_manager.contract import incident_id
from rollback_manager.decision.engine import Decision
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.incident_status import SeenIncident
from rollback_manager.rendering import evidence_line, terminal_incident, words
from rollback_manager.rendering.layout import foreign
from rollback_manager.rendering.report_parts import Section, Table
from starters.gateway.asking import decide_incident
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.pages import rendered
from starters.gateway.pages.forms import Form
from starters.gateway.pages.seen import Part
from starters.gateway.pages.status_view import ACT, RUN, WAIT, Badge
from starters.gateway.problems import Refused

router = APIRouter(route_class=rendered.PageRoute)
MOST = 100


class Row(NamedTuple):
    """One incident in the list."""

    incident: str
    badge: Badge
    trigger: str
    began: str


@router.get("/incidents")
async def incidents(request: Request, known: Known, person: Who) -> Response:
    """Newest first, running and ended."""
    runs = await known.rollbacks.incidents.list(limit=MOST)
    return rendered.page(request, person, "incidents.html", rows=rows(runs), most=MOST)


@router.get("/incident/{env}/{service}/{version}")
async def incident(
    env: Part, service: Part, version: Part, request: Request, known: Known, person: Who
) -> Response:
    """One of them."""
    seen = await known.rollbacks.incidents.seen(env, service, version)
    return rendered.page(
        request,
        person,
        "incident.html",
        id=seen.status.incident.id,
        badge=badge(seen),
        since=words.day_and_clock(seen.status.incident.detected_at),
        because=foreign(seen.status.because) or words.UNKNOWN,
        rollback=seen.status.rollback,
        sections=tuple(sections(seen)),
        asks=seen.asks,
        commands=tuple(_next_steps(known, seen)),
    )


@router.post("/incident/{env}/{service}/{version}/decide")
async def decide(
    env: Part, service: Part, version: Part, known: Known, person: Who, sent: Form
) -> Response:
    """A person's word; then the page again, which says how it stands."""
    if not sent.word or not sent.reason:
        then = "Go back, say why in a sentence, and decide there."
        raise Refused(422, "not-understood", "a word on an incident says why", next_step=then)
    release, word = (env, service, version), Action(sent.word)
    got = await decide_incident(known, person, release, word, sent.reason)
    where = "/" + incident_id(*release)
    if not got.applied:
        then = f"See how it stands: {where}"
        raise Refused(409, "not-applied", f"it is not applied: {got.because}", next_step=then)
    return RedirectResponse(where, 303, dict(rendered.HEADERS))


def _next_steps(known: Doors, seen: SeenIncident) -> Iterator[str]:
    """Where words are signed none counts that is typed: there the form is left."""
    environment = known.catalogue.environments.get(seen.status.incident.env)
    is_signed = environment is not None and environment.security is SecurityLevel.SECURED
    if not (seen.asks and is_signed):
        yield from terminal_incident.next_steps(seen)


def rows(runs: Iterable[ListedIncident]) -> list[Row]:
    """The incidents as rows."""
    return [
        Row(
            incident=foreign(run.incident),
            badge=Badge(
                foreign(run.state).replace("_", " ").upper(), *(SHAPE if run.closed_at else OPEN)
            ),
            trigger=foreign(run.trigger),
            began=words.day_and_clock(run.started_at),
        )
        for run in runs
    ]


OPEN, SHAPE = ("▶", RUN), ("■", WAIT)


def badge(seen: SeenIncident) -> Badge:
    """How it stands."""
    if seen.asks:
        return Badge(terminal_incident.state(seen), "◇", ACT)
    return Badge(terminal_incident.state(seen), *(SHAPE if seen.ended else OPEN))


def sections(seen: SeenIncident) -> Iterator[Section]:
    """The evidence, the decision, and what was not acted on."""
    status = seen.status
    joined = tuple(
        (
            str(one.newest.trigger),
            str(one.newest.source),
            str(one.newest.finding),
            foreign(one.newest.words),
            str(one.alarms),
            words.clock(one.newest.fired_at),
        )
        for one in status.incident.joined
    )
    head = ("trigger", "source", "finding", "what it says", "alarms", "last word")
    line = (evidence_line.line(status.trace),) if status.trace.points else ()
    yield Section("Evidence", line, (Table("What says so", head, joined),))
    if status.decision is not None:
        yield _decision(status.decision)
    refused = tuple((str(one.refusal), foreign(one.because)) for one in status.refused)
    if refused:
        yield Section("Refused", (), (Table("Not acted on", ("why", "because"), refused),))


def _decision(made: Decision) -> Section:
    sure = words.confidence(made.confidence, made.signs, calibrated=made.calibrated)
    action = str(made.action).replace("_", " ").upper()
    lines = [f"{action} by {made.method}, {sure}, {words.clock(made.decided_at)}."]
    lines += [f"Because: {foreign(reason)}." for reason in made.reasons]
    lines += [f"Advice: {foreign(advice)}." for advice in made.recommendations]
    if made.approvers:
        lines.append(f"May agree: {', '.join(map(foreign, made.approvers))}.")
    return Section("Decision", tuple(lines))
