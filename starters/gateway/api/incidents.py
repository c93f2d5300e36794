"""Releases that are said to be bad: what is known of them, and a person's word."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints

from rollback_manager.client.incidents import ListedIncident
from rollback_manager.contract import Answered
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.incident_status import SeenIncident
from rollback_manager.values import Value
from starters.gateway.api.names import Body, Env, Limit, Part
from starters.gateway.asking import decide_incident
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["incidents"])


class Word(StrEnum):
    """What a person may decide; `manual_review` is what they are asked for."""

    ROLLBACK = "rollback"
    FIX_FORWARD = "fix_forward"
    MONITOR = "monitor"


class IncidentsListed(Value):
    """Newest first, running and ended."""

    incidents: tuple[ListedIncident, ...]


class WordGiven(Body):
    """A person's word, and what they saw."""

    word: Word
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


@router.get("/incidents")
async def incidents(known: Known, _: Who, env: Env = None, limit: Limit = 50) -> IncidentsListed:
    """The incidents of one environment, or of all."""
    return IncidentsListed(
        incidents=tuple(await known.rollbacks.incidents.list(env=env, limit=limit))
    )


@router.get("/incident/{env}/{service}/{version}")
async def incident(env: Part, service: Part, version: Part, known: Known, _: Who) -> SeenIncident:
    """What is known of one release; of several incidents of it the newest."""
    return await known.rollbacks.incidents.seen(env, service, version)


@router.post("/incident/{env}/{service}/{version}/decisions")
async def decide_on_incident(
    env: Part, service: Part, version: Part, given: WordGiven, known: Known, person: Who
) -> Answered:
    """Say what is to be done; a rollback that comes of it may still ask for an approval."""
    return await decide_incident(
        known, person, (env, service, version), Action(given.word), given.reason
    )
