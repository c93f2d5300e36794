"""The doors of signing in and out. They are there where an identity provider is set."""

import logging
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from rollback_manager.errors import NotFound
from starters import refusals
from starters.gateway.identity import Known
from starters.gateway.pages import rendered
from starters.gateway.pages.forms import Form
from starters.gateway.problems import Refused
from starters.gateway.sign_in.flow import SignIn
from starters.gateway.sign_in.id_token import NotSignedIn

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False, route_class=rendered.PageRoute)
Then = Annotated[str, Query(max_length=500)]


@router.get("/sign-in")
async def begin(known: Known, then: Then = "/", anew: bool = False) -> Response:
    """To the identity provider."""
    return await _of(known).begin(then, anew=anew)


@router.get("/sign-in/back")
async def back(request: Request, known: Known) -> Response:
    """From the identity provider, and on to where one wanted to go."""
    try:
        return await _of(known).back(request)
    except NotSignedIn as because:
        log.warning("a sign-in was refused", extra={"because": str(because)})
        raise Refused(
            401,
            "not-signed-in",
            f"you are not signed in: {because}",
            next_step="Sign in again from the start; if it stays so, tell who runs this gateway.",
        ) from None


@router.post("/sign-out")
async def out(request: Request, known: Known, _: Form) -> Response:
    """End this sign-in."""
    return _of(known).out(request)


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    """That it is so."""
    return rendered.page(request, None, "signed_out.html")


def _of(known: Known) -> SignIn:
    if known.sign_in is None:
        raise NotFound(
            "nobody signs in here: no identity provider is set",
            effect=refusals.UNCHANGED,
            next_step="Go on: at level local whoever can open this port is the operator.",
        )
    return known.sign_in
