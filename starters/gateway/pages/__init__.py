"""Pages for people: what the command line tells, with the same words, and what people decide.

They are made here and whole: without JavaScript everything works but the redrawing by itself. No
page changes anything; a form does, and through `deciding` alone.

`*_view` files turn the domain's models into what a template shows; they are pure. `rollback`,
`lists`, `services`, `incidents`, `reports`,
`decisions` and `steering` are the routes. `rendered` makes the
response, `forms` reads what comes back.
"""

from fastapi import APIRouter

from starters.gateway.pages import (
    decisions,
    freezes,
    incidents,
    lists,
    parts,
    reports,
    rollback,
    services,
    steering,
)


def router() -> APIRouter:
    """All pages, at the root."""
    whole = APIRouter(include_in_schema=False)
    for part in (
        lists,
        rollback,
        decisions,
        steering,
        reports,
        services,
        freezes,
        incidents,
        parts,
    ):
        whole.include_router(part.router)
    return whole
