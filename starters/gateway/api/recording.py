"""What is said of releases, broken glass and quarantines by people; jobs have `/ci/releases`."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from rollback_manager.claim import Left
from rollback_manager.contract import (
    AdoptRequest,
    Carried,
    MarkRelease,
    RecordRelease,
    Releases,
    rollback_id,
)
from rollback_manager.glass import Glasses, GlassRequest, ListGlasses, ReviewGlass
from rollback_manager.release import Standing
from starters.gateway import allowed, recording
from starters.gateway.api.names import Body, Name, Part
from starters.gateway.asking import channel_of
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["records"])
SERVICE = "/environments/{env}/services/{service}"
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class WentOut(Body):
    """A release that went out, and runs. from_cluster: all that returns with it is frozen anew."""

    version: Name
    from_cluster: bool = False


class Judged(StrEnum):
    """What a person may say of a release."""

    VERIFIED = "verified"
    BAD = "bad"


class Marked(Body):
    """What is known of it. because: the evidence, in words."""

    standing: Judged
    because: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""


class Said(Body):
    """Why, or what came of it."""

    reason: Words


@router.post(SERVICE + "/releases", status_code=201)
async def record(env: Part, service: Part, went: WentOut, known: Known, person: Who) -> Releases:
    """What runs now becomes its restore point; the releases as they are recorded then."""
    ask = RecordRelease(
        env=env,
        service=service,
        version=went.version,
        by=person.subject,
        from_cluster=went.from_cluster,
    )
    return await recording.record(known, person, channel_of(person), ask)


@router.post(SERVICE + "/releases/{version}/standing")
async def mark(
    env: Part, service: Part, version: Part, marked: Marked, known: Known, person: Who
) -> Releases:
    """Say that it is known good, or bad; nothing is measured."""
    ask = MarkRelease(
        env=env,
        service=service,
        version=version,
        by=person.subject,
        standing=Standing(marked.standing),
        because=marked.because,
    )
    return await recording.mark(known, person, channel_of(person), ask)


@router.post(SERVICE + "/left/give-back")
async def give_back(env: Part, service: Part, said: Said, known: Known, person: Who) -> Left:
    """End the quarantine of what an ended rollback left, as it stands."""
    ask = AdoptRequest(
        env=env, service=service, give_back=True, by=person.subject, reason=said.reason
    )
    return await recording.give_back(known, person, channel_of(person), ask)


@router.post(SERVICE + "/hold/release", status_code=202)
async def release_hold(env: Part, service: Part, said: Said, known: Known, person: Who) -> Carried:
    """Give those back who are held since a rollback, whatever they would do."""
    place, channel = (env, service), channel_of(person)
    return await recording.release_hold(known, person, channel, place, said.reason)


@router.get("/environments/{env}/glasses")
async def glasses(env: Part, known: Known, _: Who) -> Glasses:
    """Every break-glass of an environment, and until when it is to be reviewed."""
    allowed.level_of(known.catalogue, env)  # an unknown one must not cost a workflow
    return await known.rollbacks.glasses(GlassRequest(ask=ListGlasses(env=env)))


@router.post("/rollback/{env}/{key}/review")
async def review(env: Part, key: Part, said: Said, known: Known, person: Who) -> Glasses:
    """Note that a break-glass was looked at, and what came of it."""
    ask = ReviewGlass(env=env, rollback=rollback_id(env, key), by=person.subject, said=said.reason)
    return await recording.review(known, person, channel_of(person), ask)
