"""REST for programs: services, plans, rollbacks, incidents, and what is decided about them."""

from fastapi import APIRouter

from starters.gateway import problems
from starters.gateway.api import (
    decisions,
    events,
    freezes,
    incidents,
    plans,
    recording,
    reports,
    rollbacks,
    services,
)


def router() -> APIRouter:
    """All of it, under /api/v1."""
    whole = APIRouter(prefix="/api/v1", responses=dict(problems.RESPONSES))
    rolling = (services, plans, rollbacks, decisions, events, reports)
    for part in (*rolling, incidents, freezes, recording):
        whole.include_router(part.router)
    return whole
