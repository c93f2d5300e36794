"""What is frozen, on the pages of services: until when, why, by whom, and what it stops."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from rollback_manager.errors import RollbackError
from rollback_manager.freezes import Freeze
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from rollback_manager.rendering.terminal_deploys import STOPS
from starters.gateway import freezing
from starters.gateway.doors import Doors

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
