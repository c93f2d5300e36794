"""REST for programs: services, plans, rollbacks, incidents, and what is decided about them."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from starters.gateway.api import (
    decisions,
    events,
    incidents,
    plans,
    reports,
    rollbacks,
    services,
)
from starters.gateway.problems import MEDIA_TYPE, Problem

REFUSALS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": words}
    for status, words in {
        400: "Not HTTP, or not JSON",
        401: "Not signed in",
        403: "Not allowed",
        404: "There is no such thing",
        408: "The request came too slowly",
        409: "A precondition does not hold, or the key was used for something else",
        413: "Larger than what is read here",
        421: "Not a name of this gateway",
        422: "Not understood",
        429: "Too often",
        500: "A mistake of the gateway",
        503: "Busy; or Temporal, a worker or the records do not answer",
    }.items()
}


def router() -> APIRouter:
    """All of it, under /api/v1."""
    whole = APIRouter(prefix="/api/v1", responses=dict(REFUSALS))
    for part in (services, plans, rollbacks, decisions, events, reports, incidents):
        whole.include_router(part.router)
    return whole
