"""The report of one rollback, its pictures, and the files that can be taken away."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from rollback_manager.contract import rollback_id
from rollback_manager.errors import NotFound
from rollback_manager.rendering import html, markdown, report_sections
from rollback_manager.rendering.report_summary import headline, is_good, summary
from starters import refusals
from starters.gateway.identity import Known, Who
from starters.gateway.pages import rendered
from starters.gateway.pages.seen import Part, told
from starters.gateway.pictures import pictures

router = APIRouter(route_class=rendered.PageRoute)
FORMS = {"html": "text/html", "md": "text/markdown", "json": "application/json"}
ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Of a document that brings its own style along and nothing else; it runs nothing."""


@router.get("/rollback/{env}/{key}/report")
async def report(env: Part, key: Part, request: Request, known: Known, person: Who) -> Response:
    """All of it, as the command line writes it."""
    r = await told(known, rollback_id(env, key))
    shown = [s for s in report_sections.sections(r) if s.title != report_sections.PICTURE]
    return rendered.page(
        request,
        person,
        "report.html",
        id=r.rollback,
        headline=headline(r),
        good=is_good(r),
        summary=summary(r),
        sections=shown,
        pictures=pictures(r),
        forms=sorted(FORMS),
    )


@router.get("/rollback/{env}/{key}/report.{form}")
async def taken(
    env: Part, key: Part, form: Annotated[str, Path(pattern="^(html|md|json)$")], known: Known,
    person: Who,
) -> Response:  # fmt: skip
    """The same as one file."""
    r = await told(known, rollback_id(env, key))
    match form:
        case "html":
            text = await asyncio.to_thread(html.report, r)
        case "md":
            text = markdown.report(r)
        case _:
            text = r.model_dump_json()
    name = f"{r.rollback.replace('/', '-')}.{form}"
    headers = dict(rendered.HEADERS) | {
        "Content-Security-Policy": ALONE,
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(text, headers=headers, media_type=FORMS[form])


@router.get("/rollback/{env}/{key}/picture/{service}.svg")
async def drawn(env: Part, key: Part, service: Part, known: Known, person: Who) -> Response:
    """Errors, traffic and ready instances of one service over time."""
    r = await told(known, rollback_id(env, key))
    svg = await known.pictures.svg(r, service)
    if not svg:
        raise NotFound(
            f"there is no picture of {service}: nothing was measured, or nothing can draw here",
            effect=refusals.UNCHANGED,
            next_step="The numbers are in the tables of its page.",
        )
    return _svg(svg)


@router.get("/rollback/{env}/{key}/evidence.svg")
async def evidence(env: Part, key: Part, known: Known, person: Who) -> Response:
    """What the test saw whose alarm is behind it: its evidence, above both versions' errors."""
    svg = await known.pictures.evidence(await told(known, rollback_id(env, key)))
    if not svg:
        raise NotFound(
            "there is no picture of the evidence: no alarm is behind it, or nothing can draw here",
            effect=refusals.UNCHANGED,
            next_step="What it rests on is in the words of its page.",
        )
    return _svg(svg)


def _svg(svg: str) -> Response:
    headers = dict(rendered.HEADERS) | {"Content-Security-Policy": ALONE}
    return Response(svg, headers=headers, media_type="image/svg+xml")
