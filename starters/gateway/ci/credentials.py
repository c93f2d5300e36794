"""`POST /api/v1/ci/credentials`: a job's token for ten minutes of asking."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import StringConstraints

from rollback_manager.authority.ci_tokens import LONGEST_TOKEN, BadCiToken, NotAllowed
from rollback_manager.authority.people import Kind, Person
from rollback_manager.values import Value
from starters.gateway.api.names import Body
from starters.gateway.ci.door import CiDoor
from starters.gateway.identity import Known
from starters.gateway.problems import Refused


class SignIn(Body):
    """The OIDC token of the job, as its CI gave it for this gateway's audience."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TOKEN)]


class Credential(Value):
    """Send it as `Authorization: Bearer …`. places: `environment/service` that are the job's."""

    credential: str
    expires_at: datetime
    subject: str
    places: tuple[str, ...]


def router(door: CiDoor) -> APIRouter:
    """The one route of this door."""
    made = APIRouter(prefix="/api/v1/ci", tags=["ci"])

    @made.post("/credentials", status_code=201)
    async def credentials(sign_in: SignIn, known: Known, response: Response) -> Credential:
        """A credential to plan, start, see and abort the job's own services; never to approve."""
        response.headers["Cache-Control"] = "no-store"
        now = known.now()
        try:
            granted = await door.signed_in(sign_in.token, known.catalogue, now)
        except BadCiToken as error:
            raise Refused(401, "bad-token", error.what, next_step=error.next_step) from None
        except NotAllowed as error:
            raise Refused(403, "not-allowed", error.what, next_step=error.next_step) from None
        job = Person(subject=granted.subject, kind=Kind.CI, method="ci")
        await known.auditing.before(
            job, "sign_in", granted.subject, id=secrets.token_hex(16), rests_on=granted
        )
        credential, until = door.credentials.given(granted, now)
        return Credential(
            credential=credential,
            expires_at=until,
            subject=granted.subject,
            places=granted.places,
        )

    return made
