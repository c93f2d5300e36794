"""The first page: rollbacks, newest first, and what ended ones left behind."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from rollback_manager.claim import Watched
from rollback_manager.client import Listed
from rollback_manager.contract import NAME
from rollback_manager.rendering import terminal_stays, words
from rollback_manager.rendering.layout import foreign
from starters.gateway.identity import Known, Who
from starters.gateway.pages import rendered, status_view
from starters.gateway.pages.status_view import Badge

router = APIRouter(route_class=rendered.PageRoute)
MOST = 100
"""Rollbacks on the page; older ones are on the command line."""
Env = Annotated[str, Query(pattern=f"^({NAME.pattern})?$")]


class Row(NamedTuple):
    """One rollback in the list."""

    rollback: str
    badge: Badge
    services: str
    started: str
    ended: str


class Orphan(NamedTuple):
    """What an ended rollback left of a service, and the line that takes it over."""

    service: str
    rollback: str
    since: str
    adopt: str


@router.get("/")
async def rollbacks(request: Request, known: Known, person: Who, env: Env = "") -> Response:
    """The list; of one environment, if one is named."""
    only = env or None
    runs, stays = await asyncio.gather(
        known.rollbacks.list(env=only, limit=MOST), known.rollbacks.stays(env=only)
    )
    own = {run.rollback.split("/")[1] for run in runs}
    watched = await known.rollbacks.orphans(env=only, also=own)
    return rendered.page(
        request,
        person,
        "rollbacks.html",
        rows=rows(runs),
        orphans=orphans(watched),
        unknown=[f"{one.env}: {foreign(one.trouble)}" for one in watched if one.trouble],
        stays=terminal_stays.after(stays).splitlines(),
        environments=sorted(known.catalogue.environments),
        env=env,
        most=MOST,
    )


def rows(runs: Iterable[Listed]) -> list[Row]:
    """The rollbacks as rows."""
    return [
        Row(
            rollback=foreign(run.rollback),
            badge=status_view.listed(run.state),
            services=foreign(", ".join(run.services)) or words.UNKNOWN,
            started=words.day_and_clock(run.started_at),
            ended=words.day_and_clock(run.closed_at) if run.closed_at else "-",
        )
        for run in runs
    ]


def orphans(watched: Iterable[Watched]) -> list[Orphan]:
    """What was left behind."""
    return [
        Orphan(
            service=foreign(one.service),
            rollback=foreign(one.rollback),
            since=words.day_and_clock(one.claimed_at),
            adopt=foreign(one.adopt_line),
        )
        for known in watched
        for one in known.orphans
    ]
