"""`plan`: what a rollback would do. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from starters import console, naming, refusals
from starters.console import Answer
from starters.options import Env, Incident, Json, Reason, Services, To
from starters.refusals import HAS_CHANGES

if TYPE_CHECKING:
    from rollback_manager.contract import RollbackRequest
    from rollback_manager.plan import RollbackPlan


def plan(
    services: Services,
    env: Env = None,
    to: To = None,
    reason: Reason = "",
    incident: Incident = "",
    as_commands: Annotated[
        bool, typer.Option("--as-commands", help="Print it as shell commands, for use by hand.")
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10, not 0, when there is a plan.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a rollback of these services would do now, and change nothing."""

    async def verb() -> Answer:
        made = await asked(request(services, env, to=to, reason=reason, incident=incident))
        code = HAS_CHANGES if detailed_exitcode else 0
        return _answer(made, as_commands=as_commands, code=code)

    console.run(verb, as_json=as_json)


def request(
    services: Sequence[str], env: str | None, *, to: str | None, reason: str, incident: str
) -> RollbackRequest:
    """What is asked for, with every name checked before anything is sent."""
    from rollback_manager.contract import RollbackRequest

    names = naming.services(services)
    return RollbackRequest(
        env=naming.environment(env),
        services=names,
        key=naming.new_key(*names),
        requested_by=naming.operator(),
        reason=reason,
        to_version=naming.named("version", to) if to else None,
        incident=incident,
    )


async def asked(request: RollbackRequest) -> RollbackPlan:
    """The plan of now, or the refusal to make one."""
    from starters.connection import connected

    async with connected() as client:
        return refusals.made(await client.plan(request))


def _answer(made: RollbackPlan, *, as_commands: bool, code: int) -> Answer:
    from rollback_manager.rendering import terminal_plan

    text = terminal_plan.by_hand(made) if as_commands else terminal_plan.plan(made)
    document = {
        "security": made.security,
        "digest": made.digest,
        "plan": made.model_dump(mode="json"),
    }
    return Answer(text, document, code)


def main() -> None:
    """Run `rollback-manager plan`."""
    console.main(console.single(plan))
