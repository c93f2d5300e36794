"""Rollbacks: start one, list them, see how one stands."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import StrictBool, StringConstraints

from rollback_manager.authority.people import Kind
from rollback_manager.client import Listed
from rollback_manager.contract import rollback_id
from rollback_manager.progress import RollbackStatus
from rollback_manager.values import Value
from starters import naming
from starters.gateway import asking, problems
from starters.gateway.answered import other_request
from starters.gateway.api import links
from starters.gateway.api.names import Env, Key, Limit, Name, Part
from starters.gateway.api.plans import Wanted, placed, shown_as
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["rollbacks"])


class Start(Wanted):
    """Start it. expect_plan: only if the plan still is this one.

    break_glass: nobody is asked, everybody is told, and somebody reviews it within a day; with
    confirm, incident and a reason of 20 characters, by who is on call.
    """

    trigger: Name = "manual"
    expect_plan: Annotated[str, StringConstraints(pattern="^[0-9a-f]{12,64}$")] | None = None
    break_glass: StrictBool = False


class Started(Value):
    """It runs, or ran already under this key. rollback: `rollback/{env}/{key}`, its id."""

    rollback: str
    env: str
    key: str


class RollbacksListed(Value):
    """Newest first, running and ended."""

    rollbacks: tuple[Listed, ...]


@router.post("/rollbacks", status_code=202, responses=links.STARTED)
async def start(
    wanted: Start,
    known: Known,
    person: Who,
    request: Request,
    response: Response,
    key: Key = None,
) -> Started:
    """Start a rollback. The same `Idempotency-Key` is the same rollback, running or ended.

    The same key with another body, or of another person, is refused (409).
    """
    placed(known, wanted)
    about = problems.about(request, shown_as(wanted))
    asked = wanted.request(
        key or naming.new_key(*wanted.services),
        person.subject,
        trigger=wanted.trigger,
        expect_plan=wanted.expect_plan,
        break_glass=wanted.break_glass,
        # A pipeline types nothing: what it may start is the table's to say.
        confirmed=None if person.kind is Kind.CI else wanted.confirm,
        behind=person.behind,
    )
    running = await asking.start(known, person, asked)
    # It may have run before: its own history says for what, whichever gateway began it.
    if key is not None and not asking.is_same(await running.request(), asked):
        raise other_request()
    known.plans.begun(running.id, about)
    response.headers["Location"] = f"/api/v1/{running.id}"
    return Started(rollback=running.id, env=asked.env, key=asked.key)


@router.get("/rollbacks")
async def rollbacks(known: Known, _: Who, env: Env = None, limit: Limit = 50) -> RollbacksListed:
    """The rollbacks of one environment, or of all; may lag a second behind."""
    return RollbacksListed(rollbacks=tuple(await known.rollbacks.list(env=env, limit=limit)))


@router.get("/rollback/{env}/{key}", responses=links.STATUS)
async def status(env: Part, key: Part, known: Known, _: Who) -> RollbackStatus:
    """How it stands, with every service's own word."""
    return await known.rollbacks.rollback(rollback_id(env, key)).status()
