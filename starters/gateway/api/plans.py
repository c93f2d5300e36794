"""What a rollback would do now. Nothing is touched."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from rollback_manager.contract import NAME, RollbackRequest
from rollback_manager.plan import RollbackPlan
from rollback_manager.values import Value
from starters import naming, refusals
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["plans"])
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
MOST = 1000
"""Services in one request; the tree of parents begins far below."""


class Wanted(Value):
    """What is to go back."""

    env: Name
    services: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST)]
    to_version: Name | None = None
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""
    incident: Annotated[str, StringConstraints(max_length=200)] = ""

    def request(self, key: str, by: str, **more: object) -> RollbackRequest:
        """The same for a workflow. by: the subject of who asks."""
        words = self.model_dump(include=set(Wanted.model_fields))
        return RollbackRequest.model_validate({**words, "key": key, "requested_by": by, **more})


@router.post("/plans")
async def plan(wanted: Wanted, known: Known, person: Who) -> RollbackPlan:
    """The plan; 409 with the reason where there can be none."""
    for service in wanted.services:
        known.catalogue.placement(wanted.env, service)
    key = naming.new_key(*wanted.services)
    planned = await known.rollbacks.plan(wanted.request(key, person.subject))
    return refusals.made(planned)
