"""A page as a response: one shell, text that stays text, and nothing that a browser may run."""

from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rollback_manager.authority.people import Kind, Person
from rollback_manager.errors import NotFound, RollbackError, Unreachable
from rollback_manager.rendering.layout import clean
from starters import refusals
from starters.gateway import problems
from starters.gateway.doors import doors
from starters.gateway.identity import local_operator
from starters.gateway.pages.forms import new_id, token_for

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with `no-referrer` a form's Origin would be `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer of a page; nothing inline, nothing from elsewhere, in nobody's frame."""
LOCAL = "security: local – local operator, not authenticated, loopback only"


class Shell(NamedTuple):
    """What every page has around its content. id: for the one decision of the page's form."""

    security: str
    person: str
    is_signed_in: bool
    can_sign_in: bool
    token: str
    id: str
    here: str


def shell(request: Request, person: Person | None) -> Shell:
    """The frame of a page for this person; None where it is not known who asks."""
    known, here = doors(request), request.url.path
    can = known.sign_in is not None
    if person is None:
        security = "security: secured – not signed in" if can else LOCAL
        return Shell(security, "", False, can, "", "", here)
    token = token_for(known, request, person)
    if person.kind is Kind.LOCAL:
        return Shell(LOCAL, person.subject, False, can, token, new_id(), here)
    proof = f" ({', '.join(person.factors)})" if person.factors else ""
    security = f"security: secured – signed in, {person.method}{proof}"
    return Shell(security, person.subject, True, can, token, new_id(), here)


def page(
    request: Request, person: Person | None, template: str, status: int = 200, /, **values: object
) -> HTMLResponse:
    """The template in the shell. Looking at a page keeps a sign-in alive."""
    text = _templates().get_template(template).render(shell=shell(request, person), **values)
    answer = HTMLResponse(text, status, headers=dict(HEADERS))
    known = doors(request)
    if known.sign_in is not None and (found := known.sign_in.signed_in(request)):
        known.sign_in.sessions.seen(answer, found)
    return answer


def part(template: str, **values: object) -> HTMLResponse:
    """A piece of a page, for the script that redraws it; it keeps nobody signed in."""
    text = _templates().get_template(template).render(**values)
    return HTMLResponse(text, headers=dict(HEADERS))


def refused(request: Request, error: RollbackError) -> Response:
    """What happened, what it means for production, what to do next; as on every surface."""
    problem = problems.of_error(error)
    path = request.url.path
    if problem.status == 401 and request.method == "GET" and not path.endswith(("/back", "/live")):
        return RedirectResponse(f"/sign-in?{urlencode({'then': path})}", 303, dict(HEADERS))
    rollback = "/".join(path.strip("/").split("/")[:3]) if path.startswith("/rollback/") else ""
    away = isinstance(error, Unreachable)
    commands = doors(request).plans.by_hand(rollback) if away else ()
    who = _who(request)
    shown = {"problem": problem, "commands": commands, "back": rollback if who else ""}
    answer = page(request, who, "refused.html", problem.status, **shown)
    answer.headers.update(error.headers if isinstance(error, problems.Refused) else {})
    return answer


def _who(request: Request) -> Person | None:
    """Who asks, where that is known: a refusal of the question itself must not ask it again."""
    known = doors(request)
    if known.sign_in is not None:
        found = known.sign_in.signed_in(request)
        return found.person_at(known.now()) if found else None
    if request.headers.get("host", "") not in known.binding.hosts:
        return None  # another site's name for this machine gets no form of ours
    return local_operator(known)


NO_PAGE = NotFound(
    "there is no such page",
    effect=refusals.UNCHANGED,
    next_step="Begin with the list of all rollbacks.",
)


def _canonical(request: Request) -> str:
    """The same page under the gateway's own address, where it was asked for by another name.

    Forms count from one origin alone; whoever typed `localhost` must not find that out at a button.
    """
    at = doors(request).binding
    host = request.headers.get("host", "")
    if request.method != "GET" or host not in at.hosts or at.origin.endswith(f"//{host}"):
        return ""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{at.origin}{request.url.path}{query}"


class PageRoute(APIRoute):
    """A route whose refusals are pages: a person reads them, not a program."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own handler, with its refusals turned into pages."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            if elsewhere := _canonical(request):
                return RedirectResponse(elsewhere, 307, dict(HEADERS))
            try:
                return await handle(request)
            except RequestValidationError:
                return refused(request, NO_PAGE)
            except RollbackError as error:
                return refused(request, error)

        return handled


@cache
def _templates() -> Environment:
    """Templates of this package alone; a name that is missing is an error, not an empty text."""
    return Environment(
        loader=PackageLoader("starters.gateway.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _visible(value: object) -> object:
    """Foreign text without what moves, hides or reverses text (security T22)."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
