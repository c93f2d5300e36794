"""Rollbacks: start one, list them, see how one stands."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import StringConstraints

from rollback_manager.contract import NAME, rollback_id
from rollback_manager.progress import RollbackStatus
from rollback_manager.values import Value
from starters import naming
from starters.gateway.api.plans import Name, Wanted
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["rollbacks"])
Part = Annotated[str, Path(pattern=f"^{NAME.pattern}$")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", pattern=f"^{NAME.pattern}$")]


class Start(Wanted):
    """Start it. expect_plan: only if the plan still is this one."""

    trigger: Name = "manual"
    expect_plan: Annotated[str, StringConstraints(pattern="^[0-9a-f]{12,64}$")] | None = None


class Started(Value):
    """It runs, or ran already under this key."""

    rollback: str


class Rollbacks(Value):
    """Newest first."""

    rollbacks: tuple[dict[str, object], ...]


@router.post("/rollbacks", status_code=202)
async def start(
    wanted: Start, known: Known, person: Who, response: Response, key: Key = None
) -> Started:
    """Start a rollback. The same `Idempotency-Key` is the same rollback, running or ended."""
    for service in wanted.services:
        known.catalogue.placement(wanted.env, service)
    request = wanted.request(
        key or naming.new_key(*wanted.services),
        person.subject,
        trigger=wanted.trigger,
        expect_plan=wanted.expect_plan,
    )
    running = await known.rollbacks.start(request)
    response.headers["Location"] = f"/api/v1/{running.id}"
    return Started(rollback=running.id)


@router.get("/rollback/{env}/{key}")
async def status(env: Part, key: Part, known: Known, _: Who) -> RollbackStatus:
    """How it stands, with every service's own word."""
    return await known.rollbacks.rollback(rollback_id(env, key)).status()
