"""`POST /slack/commands` and `POST /slack/buttons`: each takes either, for both are verified."""

import asyncio
import logging
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from rollback_manager.errors import RollbackError
from rollback_manager.rendering import chat
from starters import refusals
from starters.gateway import problems
from starters.gateway.doors import Doors
from starters.gateway.identity import Known
from starters.gateway.replays import Replays
from starters.gateway.slack import buttons, commands, verification
from starters.gateway.slack.answering import Deliveries
from starters.gateway.slack.door import Said, SlackDoor
from starters.gateway.slack.reading import Click, Typed, Unreadable, read
from starters.gateway.slack.verification import MOST_BYTES, REMEMBERED_S, NotSlack

log = logging.getLogger(__name__)
PREFIX = "slack/"
"""Of its replay records: alerts have others."""
READ_S = 3.0
"""For a body of 64 KB; Slack itself has given up by then."""


def router(door: SlackDoor, secrets: Callable[[], tuple[str, ...]], replays: Replays) -> APIRouter:
    """Both addresses. Nothing of it is in the OpenAPI: programs have nothing to ask here."""
    routes = APIRouter(include_in_schema=False)
    deliveries = Deliveries(door)

    async def slack(request: Request, known: Known) -> Response:
        try:
            body = await asyncio.wait_for(_read(request), READ_S)
            live = await asyncio.to_thread(secrets)  # they may be far away
            signature = verification.verified(
                _headers(request), body, live, known.now().timestamp()
            )
        except (NotSlack, ClientDisconnect, TimeoutError, RollbackError) as error:
            return _refused(error)
        return await _verified(known, door, replays, deliveries, signature, body)

    for path in ("/slack/commands", "/slack/buttons"):
        routes.add_api_route(path, slack, methods=["POST"])
    return routes


async def _read(request: Request) -> bytes:
    """As much as Slack ever sends; whoever sends more is not read to the end."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise NotSlack("too long")
    return bytes(body)


def _headers(request: Request) -> dict[str, list[str]]:
    names = (verification.TYPE, verification.STAMP, verification.SIGNATURE)
    return {name: request.headers.getlist(name) for name in names}


async def _verified(
    known: Doors,
    door: SlackDoor,
    replays: Replays,
    deliveries: Deliveries,
    signature: str,
    body: bytes,
) -> Response:
    """From here on Slack sent it. Whatever happens is told to the person, not to HTTP."""
    try:
        first = await asyncio.to_thread(replays.first_time, PREFIX + signature, REMEMBERED_S)
        if not first:
            return problems.answer(
                problems.simple(409, "replayed", "this was received before", "Nothing: it counted.")
            )
        asked = read(body)
    except Unreadable:
        return problems.answer(
            problems.simple(400, "not-understood", "no click and no command", "Use /rollback.")
        )
    except RollbackError as error:  # of the records: nothing is decided without them
        return _said(Said(refusals.in_one_line(error)))
    if not door.lets_in(asked.sender):
        log.warning("a signed request of another workspace or app was refused")
        return problems.answer(
            problems.simple(403, "not-allowed", "not of this workspace and app", "Use your own.")
        )
    return await answered(known, door, deliveries, asked)


async def answered(
    known: Doors, door: SlackDoor, deliveries: Deliveries, asked: Click | Typed
) -> Response:
    """Within two seconds, whatever else is still to be done."""
    if isinstance(asked, Click):
        await deliveries.of_click(asked, buttons.answer(known, door, asked))
        return Response()
    said = await deliveries.of_command(asked, commands.answer(known, door, asked))
    return _said(said)


def _said(said: Said) -> JSONResponse:
    message = chat.explained(said.text, said.link)
    body = {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
    return JSONResponse(body)


def _refused(error: Exception) -> Response:
    """The same words for every reason: whoever forges learns nothing. The body is not logged."""
    if isinstance(error, RollbackError):  # of a secret's reference: then nobody comes in
        log.error("Slack's door cannot be opened", extra={"because": error.what})
    else:
        log.info("refused at Slack's door", extra={"because": str(error) or "not read in time"})
    return problems.answer(
        problems.simple(
            401, "not-verified", "nothing shows that Slack sent this", "Sign it as Slack does."
        )
    )
