"""Around a deploy: may it go out, and remember that it did. For jobs, of their own services."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from rollback_manager.authority.people import Kind
from rollback_manager.contract import (
    RecordRelease,
    Releases,
)
from rollback_manager.deploys import DeployAnswer, DeployRequest, MayDeploy
from starters.gateway import asking, recording
from starters.gateway.api.names import Body, Name
from starters.gateway.identity import Known, Who
from starters.gateway.problems import Refused

router = APIRouter(prefix="/api/v1/ci", tags=["ci"])


class GoingOut(Body):
    """A release that would go out. digest, version: which one; left out: any at all."""

    env: Name
    service: Name
    version: Name | None = None
    digest: Annotated[str, StringConstraints(pattern=r"^\S*$", max_length=512)] = ""


class WentOut(Body):
    """A release that went out, and runs."""

    env: Name
    service: Name
    version: Name


@router.post("/may-deploy")
async def may_deploy(asked: GoingOut, known: Known, _: Who) -> DeployAnswer:
    """Yes, or no with every reason; 503 where nobody can tell, which is no yes."""
    known.catalogue.placement(asked.env, asked.service)
    ask = MayDeploy(**{**asked.model_dump(), "version": asked.version or ""})
    return await known.rollbacks.deploys(DeployRequest(ask=ask))


@router.post("/releases", status_code=201)
async def record(went: WentOut, known: Known, person: Who) -> Releases:
    """What runs now becomes its restore point; the releases as they are recorded then."""
    if person.kind not in (Kind.CI, Kind.LOCAL):
        raise Refused(
            403,
            "not-allowed",
            "releases are recorded by the job that deploys",
            next_step="By hand it is POST /api/v1/environments/ENV/services/SERVICE/releases",
        )
    ask = RecordRelease(env=went.env, service=went.service, version=went.version, by=person.subject)
    return await recording.record(known, person, asking.channel_of(person), ask)
