"""Approve, reject, abort: plain forms, sent by `deciding` and answered within seconds."""

import asyncio
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from rollback_manager.authority.people import Person
from rollback_manager.contract import Carried, rollback_id
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.progress import RollbackStatus
from rollback_manager.rendering import words
from starters import refusals
from starters.gateway.deciding import Asked, Channel, Deciding, decide
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.pages import asking, rendered, said
from starters.gateway.pages.forms import Form, Sent
from starters.gateway.pages.seen import ANSWER_S, Part, Seen, seen

router = APIRouter(route_class=rendered.PageRoute)
NOTHING_YET = Sent(token="", id="none")


@router.get("/rollback/{env}/{key}/approve")
async def to_approve(env: Part, key: Part, request: Request, known: Known, person: Who) -> Response:
    """What a yes would do, and what it asks for beside a click."""
    return _confirming(request, person, await _running(known, env, key), NOTHING_YET, [])


@router.post("/rollback/{env}/{key}/approve")
async def approve(
    env: Part, key: Part, request: Request, known: Known, person: Who, sent: Form
) -> Response:
    """A vote for the plan that was shown; from T2 on, once all that is asked for is there."""
    found = await seen(known, env, key)
    if found.status is not None and found.status.outcome is None:
        asked = asking.confirmed(found.status, found.plan, person)
        lacking = asking.missing(asked, sent.confirm, sent.incident, sent.reason)
        if lacking or asked.proof:
            return _confirming(request, person, _Running(found, found.status), sent, lacking)
    return await decided(known, person, found.id, Deciding.APPROVE, sent)


@router.post("/rollback/{env}/{key}/reject")
async def reject(env: Part, key: Part, known: Known, person: Who, sent: Form) -> Response:
    """A vote against the plan that was shown."""
    return await decided(known, person, rollback_id(env, key), Deciding.REJECT, sent)


@router.get("/rollback/{env}/{key}/abort")
async def to_abort(env: Part, key: Part, request: Request, known: Known, person: Who) -> Response:
    """What each way to stop would do."""
    found, now_is = await _running(known, env, key)
    ways, moves = asking.aborting(now_is), asking.moves(now_is)
    return rendered.page(request, person, "abort.html", id=found.id, ways=ways, moves=moves)


@router.post("/rollback/{env}/{key}/abort")
async def abort(env: Part, key: Part, known: Known, person: Who, sent: Form) -> Response:
    """Stop. One person is enough, on purpose."""
    deciding = Deciding(f"abort_{sent.mode}")
    return await decided(known, person, rollback_id(env, key), deciding, sent)


async def decided(
    known: Doors, person: Person, rollback: str, deciding: Deciding, sent: Sent
) -> Response:
    """Carry it there; then the rollback's page again, with what became of it."""
    asked = Asked(
        rollback=rollback,
        deciding=deciding,
        id=sent.id,
        plan=sent.plan,
        nonce=sent.nonce,
        reason=sent.reason,
        step=sent.step,
        service=sent.service,
        confirm=sent.confirm,
        incident=sent.incident,
    )
    try:
        async with asyncio.timeout(ANSWER_S):  # what was begun is carried to its end all the same
            got = await decide(known, person, Channel.WEB, asked)
    except TimeoutError:
        got = Carried(
            applied=False, pending=True, because="under way and not answered yet: look again"
        )
    except NotFound:
        got = await _too_late(known, rollback)
    verb = str(deciding).replace("_", " ")
    to = said.back_to(known, person, rollback, verb, got)
    return RedirectResponse(to, 303, dict(rendered.HEADERS))


async def _too_late(known: Doors, rollback: str) -> Carried:
    """What a decision is told that nobody there takes, or takes any more."""
    now_is = await known.rollbacks.rollback(rollback).status()
    if now_is.outcome is None:
        return Carried(applied=False, because="nothing of that name waits there now")
    return Carried(applied=False, because=f"it has ended as {words.state(now_is)}")


class _Running(NamedTuple):
    """A rollback that has not ended, with its own word on how it stands."""

    seen: Seen
    now_is: RollbackStatus


async def _running(known: Doors, env: str, key: str) -> _Running:
    """Raises Blocked where nothing can be decided any more, Unreachable where nobody answers."""
    found = await seen(known, env, key)
    if found.trouble is not None:
        raise found.trouble
    if found.status is None or found.status.outcome is not None:
        raise Blocked(
            f"{found.id} has ended: nothing is asked any more",
            effect=refusals.UNCHANGED,
            next_step=f"See how it stands: rollback-manager status {found.id}",
        )
    return _Running(found, found.status)


def _confirming(
    request: Request, person: Person, running: _Running, sent: Sent, lacking: list[str]
) -> Response:
    found, now_is = running
    return rendered.page(
        request,
        person,
        "approve.html",
        422 if lacking else 200,
        id=found.id,
        asked=asking.question(now_is, found.plan),
        confirmed=asking.confirmed(now_is, found.plan, person),
        sent=sent,
        lacking=lacking,
    )
