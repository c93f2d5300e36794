"""One rollback: how it stands, what is asked of people, the plan, the picture, what was said."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from rollback_manager.authority.people import Person
from rollback_manager.rendering import evidence_words, report_sections
from rollback_manager.rendering.report_parts import Section
from rollback_manager.report import Report
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.pages import asking, plan_view, rendered, said, status_view, ways
from starters.gateway.pages.seen import Part, Seen, seen
from starters.gateway.pages.steering import steering
from starters.gateway.pictures import evidence, pictures

router = APIRouter(route_class=rendered.PageRoute)
TOLD_HERE = (
    report_sections.BELIEVED,
    evidence_words.EVIDENCE,
    report_sections.DEGRADED,
    report_sections.ROLLBACK,
    report_sections.DECISIONS,
)
"""Sections of the report that are worth reading while it runs; the report itself has all."""


@router.get("/rollback/{env}/{key}")
async def rollback(
    env: Part, key: Part, request: Request, known: Known, person: Who, said_: said.Said = ""
) -> Response:
    """All of it."""
    found = await seen(known, env, key)
    return rendered.page(
        request,
        person,
        "rollback.html",
        said=said.opened(known, person, said_),
        **live_parts(known, person, found),
        plan=plan_view.sections(found.plan) if found.plan else (),
        by_hand=plan_view.by_hand(found.plan) if found.plan else (),
        told=tuple(_told(found.report)),
        planned=_not_planned(found.report),
    )


@router.get("/rollback/{env}/{key}/live")
async def live(env: Part, key: Part, request: Request, known: Known, person: Who) -> Response:
    """What changes by itself, for the script that redraws it."""
    found = await seen(known, env, key)
    shell = rendered.shell(request, person)
    return rendered.part("again.html", shell=shell, **live_parts(known, person, found))


def live_parts(known: Doors, person: Person, found: Seen) -> dict[str, object]:
    """What a look at it shows that may be different at the next one."""
    now_is, steer = found.status, steering(known, person, found)
    return {
        "id": found.id,
        "silent": found.silent,
        "now": status_view.status(now_is, known.now()) if now_is else None,
        "asked": asking.question(now_is, found.plan) if now_is else None,
        "steer": steer,
        "steer_key": ways.key(steer),
        "pictures": pictures(found.report),
        "evidence": evidence(found.report),
    }


def _told(r: Report) -> Iterator[Section]:
    by_title = {section.title: section for section in report_sections.sections(r)}
    return (by_title[title] for title in TOLD_HERE if title in by_title)


def _not_planned(r: Report) -> str:
    """Why there is no plan to show."""
    if r.plan is not None or r.planned is None:
        return "" if r.plan is not None else "It is being made."
    if r.planned.parts:
        return f"It goes in {len(r.planned.parts)} parts; each part shows its own plan."
    return r.planned.blocked_because or r.planned.error
