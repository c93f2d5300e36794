"""Refusals as `application/problem+json` (RFC 9457), with their effect and the next step.

Nothing that was sent is repeated: what an attacker writes must not come back in a page or a log.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from rollback_manager.errors import NotFound, NotPermitted, RollbackError, StalePlan, Unreachable
from rollback_manager.values import Value
from starters import refusals

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)


class Problem(Value):
    """Why a request was refused. type: a name that programs compare, in words, stable."""

    type: str = Field(examples=["not-found"])
    title: str
    status: int
    detail: str
    effect: str
    """What it means for production."""
    next_step: str
    """What to type or send next."""
    by_hand: tuple[str, ...] = ()
    """While Temporal is away: the last plan that was seen here, as commands to do it by hand."""


RESPONSES: Mapping[int | str, dict[str, Any]] = {
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
"""Of every route: what can be answered instead."""


class Refused(RollbackError):
    """A request that a door refuses: not signed in (401), not allowed (403), too often (429)."""

    def __init__(
        self,
        status: int,
        type: str,
        what: str,
        *,
        next_step: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, effect=refusals.UNCHANGED, next_step=next_step)
        self.status, self.type, self.headers = status, type, dict(headers or {})


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response of a problem."""
    return JSONResponse(
        problem.model_dump(),
        problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def of_error(error: RollbackError) -> Problem:
    """The product's own refusal as a problem."""
    three = refusals.parts(error)
    if isinstance(error, Refused):
        status, type_ = error.status, error.type
    else:
        status, type_ = _kind(error)
    return Problem(
        type=type_,
        title=type_.replace("-", " ").capitalize(),
        status=status,
        detail=three["what"],
        effect=three["effect"],
        next_step=three["next_step"],
    )


def _kind(error: RollbackError) -> tuple[int, str]:
    match error:
        case NotFound():
            return 404, "not-found"
        case StalePlan():
            return 409, "stale-plan"
        case Unreachable() | NotPermitted():  # Temporal lets the gateway in no more
            return 503, "unreachable"
        case _ if refusals.kind(error) == "Blocked":
            return 409, "blocked"
        case _:
            return 422, "refused"


def about(request: Request, name: str) -> str:
    """Note what the request is about: while Temporal is away, its last plan is shown."""
    request.state.about = name
    return name


def _away(request: Request, problem: Problem) -> Problem:
    """With what a person can do meanwhile, where a plan was seen here."""
    name = getattr(request.state, "about", request.url.path.removeprefix("/api/v1/"))
    rollback = "/".join(name.split("/")[:3])
    known = getattr(request.app.state, "doors", None)  # the codec server has none
    commands = known.plans.by_hand(rollback) if known is not None else ()
    if not commands:
        return problem
    step = f"{problem.next_step} If it cannot wait: `by_hand` has the commands of its last plan."
    return problem.model_copy(update={"by_hand": commands, "next_step": step})


def simple(status: int, type_: str, detail: str, next_step: str) -> Problem:
    """A problem that changed nothing."""
    return Problem(
        type=type_,
        title=type_.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        effect=refusals.UNCHANGED,
        next_step=next_step,
    )


SEE = "See what there is: GET /api/v1/openapi.json"


def handle(app: FastAPI) -> None:
    """Make every refusal of the app a problem."""

    @app.exception_handler(RollbackError)
    async def refused(request: Request, error: RollbackError) -> JSONResponse:
        if isinstance(error, Unreachable):
            return answer(_away(request, of_error(error)), {"Retry-After": "5"})
        request.state.refusal = refusals.what(error)
        return answer(of_error(error), error.headers if isinstance(error, Refused) else {})

    @app.exception_handler(RequestValidationError)
    async def misread(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(simple(422, "not-understood", _places(error), SEE))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        type_ = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
        detail = f"nothing answers here ({error.status_code})"
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(app, request))
        return answer(simple(error.status_code, type_, detail, SEE), headers)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        log.error("a mistake of the gateway", exc_info=error)
        words = "a mistake of this gateway; its log says which"
        return answer(simple(500, "mistake", words, "See it: rollback-manager status ROLLBACK"))


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """All methods of a path: the router itself knows those of the first route alone."""
    scope = {key: request.scope[key] for key in ("type", "path", "root_path", "headers")}
    every = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
    return [one for one in every if _answers(app, {**scope, "method": one})]


def _answers(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.router.routes)


def _places(error: RequestValidationError) -> str:
    """Where it does not fit, and why; never what stood there."""
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:10]]
    return "; ".join(found)[:2000]
