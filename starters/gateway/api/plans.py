"""What a rollback would do now. Nothing is touched."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints

from rollback_manager.authority.may import Verb
from rollback_manager.contract import RollbackRequest
from rollback_manager.plan import RollbackPlan
from starters import naming, refusals
from starters.gateway import asking, problems
from starters.gateway.api.names import Body, Name
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["plans"])
ADOPTS = r"^(rollback/[a-z0-9._-]+/[a-z0-9._-]+)?$"
"""An id of a rollback, or nothing."""
MOST = 1000
"""Services in one request; the tree of parents begins far below."""


class Wanted(Body):
    """What is to go back. adopts: the rollback that ended and left it half done; gone on with.

    confirm: a service typed out; a plan does not ask for it, and may be asked with the same body.
    """

    env: Annotated[Name, Field(examples=["prod"])]
    services: Annotated[
        tuple[Name, ...], Field(min_length=1, max_length=MOST, examples=[["checkout"]])
    ]
    to_version: Name | None = None
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""
    incident: Annotated[str, StringConstraints(max_length=200)] = ""
    adopts: Annotated[str, StringConstraints(max_length=200, pattern=ADOPTS)] = ""
    confirm: Annotated[str, StringConstraints(max_length=200)] = ""

    def request(self, key: str, by: str, **more: object) -> RollbackRequest:
        """The same for a workflow. by: the subject of who asks."""
        words = self.model_dump(include=set(Wanted.model_fields) - {"confirm"})
        return RollbackRequest.model_validate({**words, "key": key, "requested_by": by, **more})


def placed(known: Doors, wanted: Wanted) -> None:
    """Raise PermanentError for a service that the catalogue does not have there."""
    for service in wanted.services:
        known.catalogue.placement(wanted.env, service)


@router.post("/plans")
async def plan(wanted: Wanted, known: Known, person: Who, request: Request) -> RollbackPlan:
    """The plan; 409 with the reason where there can be none."""
    placed(known, wanted)
    about = problems.about(request, shown_as(wanted))
    key = naming.new_key(*wanted.services)
    asked = wanted.request(key, person.subject)
    await asking.may_now(known, person, Verb.PLAN, asked, asking.channel_of(person))
    planned = await known.rollbacks.plan(asked)
    made = refusals.made(planned)
    known.plans.keep(about, made)
    return made


def shown_as(wanted: Wanted) -> str:
    """The name under which its last plan is kept, for a day without Temporal."""
    return f"{wanted.env}: {' '.join(sorted(wanted.services))}"
