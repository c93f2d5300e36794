"""REST for programs: services, plans, rollbacks and what is decided about them."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from starters.gateway.api import decisions, plans, rollbacks, services
from starters.gateway.problems import MEDIA_TYPE, Problem

REFUSALS: Mapping[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": words}
    for status, words in {
        401: "Not signed in",
        403: "Not allowed",
        404: "There is no such thing",
        409: "A precondition does not hold",
        421: "Not a name of this gateway",
        422: "Not understood",
        429: "Too often",
        503: "Temporal, a worker or the records do not answer",
    }.items()
}


def router() -> APIRouter:
    """All of it, under /api/v1."""
    whole = APIRouter(prefix="/api/v1", responses=dict(REFUSALS))
    for part in (services, plans, rollbacks, decisions):
        whole.include_router(part.router)
    return whole
