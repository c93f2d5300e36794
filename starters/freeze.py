"""`freeze` and `unfreeze`: stop the way forward for a while. The way back passes by rule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from starters import console, naming
from starters.console import Answer
from starters.options import By, Env, Json
from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.deploys import DeployAsk

OneService = Annotated[
    str | None,
    typer.Argument(metavar="SERVICE", help="Only this one; default: all of the environment."),
]


def freeze(
    service: OneService = None,
    env: Env = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="As 2026-12-24T18:00:00Z.")
    ] = None,
    begins: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Default: now.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever is stopped reads it.")] = "",
    rollbacks_too: Annotated[
        bool,
        typer.Option("--rollbacks-too", help="Also stop rollbacks, unless a commander agrees."),
    ] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Let nothing be deployed until TIME. Without --until: show what is frozen.

    A rollback passes by rule, unless --rollbacks-too says otherwise.
    """

    async def verb() -> Answer:
        from rollback_manager.deploys import ListFreezes, SayFreeze
        from rollback_manager.freezes import Direction

        where, of = _names(env, service)
        if until is None:
            _must_be_bare(begins, reason, rollbacks_too=rollbacks_too)
            return await _asked(ListFreezes(env=where, service=of))
        said = SayFreeze(
            env=where,
            service=of,
            id=naming.new_key(of or "all"),
            begins=naming.moment("--from", begins) if begins else None,
            until=naming.moment("--until", until),
            reason=_reason(reason),
            direction=Direction.ROLLBACKS_TOO if rollbacks_too else Direction.DEPLOYS,
            by=by or naming.operator(),
        )
        return await _asked(said)

    console.run(verb, as_json=as_json)


def unfreeze(
    service: OneService = None, env: Env = None, by: By = None, as_json: Json = False
) -> None:
    """End the freezes that were said of SERVICE, or of all of the environment.

    What the catalogue declares is ended in the catalogue.
    """

    async def verb() -> Answer:
        from rollback_manager.deploys import LiftFreezes

        where, of = _names(env, service)
        return await _asked(LiftFreezes(env=where, service=of, by=by or naming.operator()))

    console.run(verb, as_json=as_json)


def _names(env: str | None, service: str | None) -> tuple[str, str]:
    return naming.environment(env), naming.named("service", service) if service else ""


def _must_be_bare(begins: str | None, reason: str, *, rollbacks_too: bool) -> None:
    """What belongs to a freeze, without its end, was meant as one."""
    if begins or reason or rollbacks_too:
        raise UsageError(
            "a freeze without an end",
            effect=UNCHANGED,
            next_step="Say when it ends, with its zone: --until 2026-12-24T18:00:00Z",
        )


def _reason(typed: str) -> str:
    from rollback_manager.freezes import LONGEST_REASON

    if typed.strip() and len(typed) <= LONGEST_REASON:
        return typed
    raise UsageError(
        f"a freeze needs a reason of 1 to {LONGEST_REASON} characters",
        effect=UNCHANGED,
        next_step="Whoever is stopped reads it: --reason 'inventory is counted'",
    )


async def _asked(ask: DeployAsk) -> Answer:
    from rollback_manager.deploys import DeployRequest
    from rollback_manager.rendering import terminal_deploys
    from starters.connection import connected

    async with connected() as client:
        answer = await client.deploys(DeployRequest(ask=ask))
    document = {
        "env": ask.env,
        "freezes": [one.model_dump(mode="json") for one in answer.freezes],
        "lifted": [one.model_dump(mode="json") for one in answer.lifted],
    }
    return Answer(terminal_deploys.freezes(answer), document)


def main() -> None:
    """Run `rollback-manager freeze` or `unfreeze`: the launcher says which."""
    verbs: dict[str, Callable[..., None]] = {"freeze": freeze, "unfreeze": unfreeze}
    console.main(console.single(verbs[sys.argv[0].split()[-1]]))
