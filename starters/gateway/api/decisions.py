"""What people decide about a rollback: approve, reject, abort, pause, and the step that waits."""

import secrets
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from rollback_manager.contract import NAME, Carried, rollback_id
from starters.gateway.api import links
from starters.gateway.api.names import Body, Key, Part
from starters.gateway.asking import channel_of
from starters.gateway.deciding import Asked, Deciding, decide
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["decisions"])


class Decided(Body):
    """One decision. plan: the digest that was seen, for a vote; step and service: what waits.

    confirm: the service typed out, and incident: which one; for a vote at T2 and T3 where nobody
    signs in.
    """

    decision: Annotated[Deciding, Field(examples=["abort_hold"])]
    plan: Annotated[str, StringConstraints(pattern="^([0-9a-f]{12,64})?$")] = ""
    nonce: Annotated[str, StringConstraints(max_length=64)] = ""
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""
    step: Annotated[str, StringConstraints(max_length=64)] = ""
    service: Annotated[str, StringConstraints(pattern=f"^({NAME.pattern})?$")] = ""
    confirm: Annotated[str, StringConstraints(max_length=200)] = ""
    incident: Annotated[str, StringConstraints(max_length=200)] = ""


@router.post("/rollback/{env}/{key}/decisions", name="decide", responses=links.DECIDED)
async def decisions(
    env: Part, key: Part, decided: Decided, known: Known, person: Who, id: Key = None
) -> Carried:
    """Applied, ignored because, or sent and pending: not judged yet.

    The same `Idempotency-Key` again gets the first answer.
    """
    words = decided.model_dump(exclude={"decision"})
    asked = Asked(
        rollback=rollback_id(env, key),
        deciding=decided.decision,
        id=id or f"{decided.decision}-{secrets.token_hex(8)}",
        **words,
    )
    return await decide(known, person, channel_of(person), asked)
