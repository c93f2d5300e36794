"""Freezes: what is frozen, to freeze, and to end it. CI may not (`ci/guard.py`)."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from rollback_manager.contract import NAME
from rollback_manager.deploys import DeployAnswer, LiftFreezes, SayFreeze
from rollback_manager.freezes import LONGEST_REASON, Direction, Freeze, Moment
from rollback_manager.values import Value
from starters import naming
from starters.gateway import freezing
from starters.gateway.api.names import WHOLE, Body, Key, Name
from starters.gateway.asking import channel_of
from starters.gateway.identity import Known, Who

router = APIRouter(tags=["freezes"])
In = Annotated[str, Query(pattern=WHOLE, description="In this environment")]
Of = Annotated[
    str, Query(pattern=f"^({NAME.pattern})?$", description="What stops this one; default: all")
]


class Where(Body):
    """A service, or all of an environment."""

    env: Name
    service: Name | None = None


class Said(Where):
    """A freeze. begins: left out: now. direction: what it stops."""

    begins: Moment | None = None
    until: Moment
    reason: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON)
    ]
    direction: Direction = Direction.DEPLOYS


class Frozen(Value):
    """What is frozen now or will be. lifted: what this call ended before its time."""

    env: str
    freezes: tuple[Freeze, ...]
    lifted: tuple[Freeze, ...] = ()


@router.get("/freezes")
async def freezes(env: In, known: Known, _: Who, service: Of = "") -> Frozen:
    """What is frozen in an environment, said by people or declared in the catalogue."""
    return _frozen(env, await freezing.listed(known, env, service))


@router.post("/freezes", status_code=201)
async def freeze(said: Said, known: Known, person: Who, key: Key = None) -> Frozen:
    """Let nothing be deployed for a while. The same `Idempotency-Key` is the same freeze."""
    ask = SayFreeze(
        id=key or naming.new_key(said.service or "all"),
        by=person.subject,
        **{**said.model_dump(), "service": said.service or ""},
    )
    return _frozen(said.env, await freezing.say(known, person, channel_of(person), ask))


@router.post("/freezes/lift")
async def unfreeze(where: Where, known: Known, person: Who, key: Key = None) -> Frozen:
    """End what was said of exactly this; what the catalogue declares is ended in the catalogue."""
    ask = LiftFreezes(env=where.env, service=where.service or "", by=person.subject)
    lifted = await freezing.lift(
        known, person, channel_of(person), ask, key or naming.new_key(where.service or "all")
    )
    return _frozen(where.env, lifted)


def _frozen(env: str, answer: DeployAnswer) -> Frozen:
    return Frozen(env=env, freezes=answer.freezes, lifted=answer.lifted)
