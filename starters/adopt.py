"""`adopt`: look at what an ended rollback left of a service, and go on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import RollbackError
from starters import console, naming
from starters import plan as planning
from starters import start as starting
from starters.console import Answer
from starters.options import By, Env, Json, Reason, Service, Timeout
from starters.refusals import DECLINED, UNCHANGED, UsageError
from starters.secured import must_go_by_the_gateway

if TYPE_CHECKING:
    from rollback_manager.claim import Left
    from rollback_manager.contract import AdoptRequest, RollbackRequest


def adopt(
    service: Service,
    env: Env = None,
    reason: Reason = "",
    by: By = None,
    give_back: Annotated[
        bool,
        typer.Option("--give-back", help="Do not go on: end the quarantine, touch nothing."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not show the plan, do not ask.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or leave at once.")
    ] = True,
    timeout: Timeout = None,
    as_json: Json = False,
) -> None:
    """Go on from what an ended rollback left of SERVICE: show it, ask, finish it."""

    def asked_for() -> AdoptRequest:
        from rollback_manager.contract import AdoptRequest

        return AdoptRequest(
            env=naming.environment(env),
            service=naming.named("service", service),
            by=by or naming.operator(),
            reason=reason,
        )

    console.say_security()
    try:
        request = asked_for()
        _must_be_asked(yes=yes)
    except RollbackError as error:
        console.refuse(error, as_json=as_json)
    if give_back:
        _give_back(request, yes=yes, as_json=as_json)
    going_on = _agreed_to(request, yes=yes, as_json=as_json)
    seconds = timeout if wait else 0
    console.finish(
        console.answered(lambda: starting.started(going_on, follow_s=seconds), as_json=as_json),
        as_json=as_json,
    )


def _must_be_asked(*, yes: bool) -> None:
    if not (yes or console.somebody_is_there()):
        raise UsageError(
            "nobody can be asked here, and --yes was not given",
            effect=UNCHANGED,
            next_step="Look first: rollback-manager list; then adopt with --yes",
        )


def _agreed_to(request: AdoptRequest, *, yes: bool, as_json: bool) -> RollbackRequest:
    """What was left and the plan to go on, shown and agreed to; as the request that does it."""
    found: list[RollbackRequest] = []

    async def look() -> Answer:
        from rollback_manager.rendering import terminal_orphans, terminal_plan

        left = await _left(request)
        going_on = _going_on(request, left)
        made = await planning.asked(going_on)
        must_go_by_the_gateway(made)
        text = terminal_orphans.left(left, made.services[0])
        found.append(going_on.model_copy(update={"expect_plan": made.digest}))
        return Answer(text if yes else f"{text}\n\n{terminal_plan.plan(made)}")

    console.say(console.answered(look, as_json=as_json).text)
    if not yes:
        _must_agree(f"Go on with {request.service} in {request.env} as planned?", as_json=as_json)
    return found[0]


def _going_on(request: AdoptRequest, left: Left) -> RollbackRequest:
    base = planning.request(
        (request.service,), request.env, to=None, reason=request.reason, incident=""
    )
    own = {"adopts": left.claim.rollback, "requested_by": request.by}
    return base.model_copy(update=own)


def _give_back(request: AdoptRequest, *, yes: bool, as_json: bool) -> None:
    async def show() -> Answer:
        from rollback_manager.rendering import terminal_orphans

        return Answer(terminal_orphans.left(await _left(request)))

    async def give() -> Answer:
        from rollback_manager.rendering import terminal_orphans

        left = await _left(request.model_copy(update={"give_back": True}))
        return Answer(terminal_orphans.left(left), {"left": left.model_dump(mode="json")})

    if not yes:
        console.say(console.answered(show, as_json=as_json).text)
        _must_agree(f"Leave {request.service} as it stands?", as_json=as_json)
    console.finish(console.answered(give, as_json=as_json), as_json=as_json)


async def _left(request: AdoptRequest) -> Left:
    from starters.connection import connected

    async with connected() as client:
        return await client.left(request)


def _must_agree(question: str, *, as_json: bool) -> None:
    if not console.agreed(f"\n{question}"):
        declined = UsageError("not agreed to", effect=UNCHANGED, next_step="Nothing is left to do.")
        console.refuse(declined, as_json=as_json, code=DECLINED)


def main() -> None:
    """Run `rollback-manager adopt`."""
    console.main(console.single(adopt))
