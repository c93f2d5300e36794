"""What is frozen, on the pages of services: until when, why, by whom, and what it stops."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from rollback_manager.authority.may import Channel
from rollback_manager.deploys import LiftFreezes, SayFreeze
from rollback_manager.errors import RollbackError
from rollback_manager.freezes import Direction, Freeze
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from rollback_manager.rendering.terminal_deploys import STOPS
from starters.gateway import freezing
from starters.gateway.doors import Doors
from starters.gateway.identity import Known, Who
from starters.gateway.pages import rendered
from starters.gateway.pages.forms import Form, Sent
from starters.gateway.pages.seen import Part
from starters.gateway.problems import Refused

router = APIRouter(route_class=rendered.PageRoute)
ANSWER_S = 3.0
ASKED = 20
"""Environments that are asked for on the list; each question is a small workflow."""


class Row(NamedTuple):
    """One freeze."""

    what: str
    begins: str
    until: str
    reason: str
    by: str
    stops: str


class Frozen(NamedTuple):
    """What holds or will, and the environments of which nobody can tell."""

    rows: list[Row]
    unknown: list[str]


@router.post("/services/{env}/{service}/freeze")
async def freeze(env: Part, service: Part, sent: Form, known: Known, person: Who) -> Response:
    """Freeze it, as asked on its page. The same form again is the same freeze."""
    await freezing.say(known, person, Channel.WEB, _asked(env, service, sent, person.subject))
    return RedirectResponse(f"/services/{env}/{service}", 303, dict(rendered.HEADERS))


@router.post("/services/{env}/{service}/unfreeze")
async def unfreeze(env: Part, service: Part, sent: Form, known: Known, person: Who) -> Response:
    """End what was said of it."""
    ask = LiftFreezes(env=env, service=service, by=person.subject)
    await freezing.lift(known, person, Channel.WEB, ask, f"un-{sent.id}")
    return RedirectResponse(f"/services/{env}/{service}", 303, dict(rendered.HEADERS))


def _asked(env: str, service: str, sent: Sent, by: str) -> SayFreeze:
    direction = Direction.ROLLBACKS_TOO if sent.rollbacks_too else Direction.DEPLOYS
    words = {"env": env, "service": service, "id": sent.id, "by": by, "direction": direction}
    try:
        return SayFreeze.model_validate({**words, "until": sent.until, "reason": sent.reason})
    except ValidationError:
        raise Refused(
            422,
            "not-understood",
            "a freeze needs an end with its zone, and a reason of 300 characters at most",
            next_step="Go back and write the end as in 2026-12-24T18:00:00Z.",
        ) from None


async def frozen(known: Doors, envs: Iterable[str], service: str = "") -> Frozen:
    """Of these environments; what stops the service, if one is named."""
    asked = list(envs)
    answers = await asyncio.gather(*(_of(known, env, service) for env in asked[:ASKED]))
    late = [f"{env}: not asked, see rollback-manager freeze --env {env}" for env in asked[ASKED:]]
    rows = [row(one) for answer in answers if not isinstance(answer, str) for one in answer]
    return Frozen(rows, [*(one for one in answers if isinstance(one, str)), *late])


async def _of(known: Doors, env: str, service: str) -> tuple[Freeze, ...] | str:
    """The freezes; or why nobody can tell: not knowing is never "nothing is frozen"."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return (await freezing.listed(known, env, service)).freezes
    except TimeoutError:
        return f"{env}: no worker answers"
    except RollbackError as error:
        return f"{env}: {foreign(error.what)}"


def row(one: Freeze) -> Row:
    """One freeze in words."""
    return Row(
        what=f"{one.service} in {one.env}" if one.service else f"all of {one.env}",
        begins=words.day_and_clock(one.begins),
        until=words.day_and_clock(one.until),
        reason=foreign(one.reason),
        by=foreign(one.by),
        stops=STOPS[one.direction],
    )
