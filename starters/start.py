"""`start`: say that a release is bad, agree to the plan, and follow the rollback to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import RollbackError
from starters import console, naming
from starters import plan as planning
from starters.ci.files import Dotenv, Junit, written
from starters.ci.job import this_job
from starters.console import Answer
from starters.evidence import evidence as evidence_in
from starters.options import Confirm, Env, Incident, Json, Reason, Services, Timeout, To
from starters.refusals import DECLINED, UNCHANGED, UsageError
from starters.secured import must_go_by_the_gateway

if TYPE_CHECKING:
    from rollback_manager.contract import RollbackRequest

Trigger = Annotated[
    str | None,
    typer.Option("--trigger", help="What told you; default: manual, and ci in a CI job."),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        "--idempotency-key",
        metavar="K",
        help="The same key is the same rollback; in CI it is the run's and the job's own.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not show the plan, do not ask.")]
BreakGlass = Annotated[
    bool,
    typer.Option(
        "--break-glass",
        help="Ask nobody; with --confirm, --incident and --reason. Reviewed within 24 h.",
    ),
]
ExpectPlan = Annotated[
    str | None,
    typer.Option("--expect-plan", metavar="DIGEST", help="Only if the plan still is this one."),
]
Evidence = Annotated[
    Path | None,
    typer.Option("--evidence", metavar="FILE.json", help="What you saw, second by second."),
]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow it to its end, or leave at once.")
]


def start(
    services: Services,
    env: Env = None,
    to: To = None,
    reason: Reason = "",
    trigger: Trigger = None,
    incident: Incident = "",
    key: Key = None,
    yes: Yes = False,
    confirm: Confirm = None,
    break_glass: BreakGlass = False,
    expect_plan: ExpectPlan = None,
    evidence: Evidence = None,
    wait: Wait = True,
    timeout: Timeout = None,
    junit: Junit = None,
    dotenv: Dotenv = None,
    as_json: Json = False,
) -> None:
    """Roll these services back: show the plan, ask, start, and follow it to its end."""
    console.say_security()
    try:
        base = planning.request(services, env, to=to, reason=reason, incident=incident)
        own = {
            **_of_whom(base, key, trigger),
            "expect_plan": expect_plan,
            "evidence": evidence_in(evidence),
            "confirmed": confirm or "",
            "break_glass": break_glass,
        }
    except RollbackError as error:
        console.refuse(error, as_json=as_json)
    request = base.model_copy(update=own)
    if not yes and confirm is None and expect_plan is None:
        request = _agreed_to(request, as_json=as_json)
    seconds = timeout if wait else 0

    async def verb() -> Answer:
        return written(await started(request, follow_s=seconds), junit, dotenv)

    console.finish(console.answered(verb, as_json=as_json), as_json=as_json)


def _of_whom(base: RollbackRequest, key: str | None, trigger: str | None) -> dict[str, str]:
    """Key and trigger: as they were given, else the CI job's own, where it is one."""
    job = this_job()
    own = job.key(base.services) if job else base.key
    told_by = trigger or ("ci" if job else "manual")
    return {
        "key": naming.named("key", key) if key else own,
        "trigger": naming.named("trigger", told_by),
    }


async def started(request: RollbackRequest, *, follow_s: float | None) -> Answer:
    """Start it, and follow it for so long; for 0 s: tell how it is already."""
    from starters.ci.page import with_page
    from starters.connection import connected
    from starters.following import glance, until_left

    async with connected() as client:
        rollback = await client.start(request)
        console.say(f"{rollback.id}: started, or running already under this key")
        answer = await (glance(rollback) if follow_s == 0 else until_left(rollback, follow_s))
        return await with_page(client, answer)


def _agreed_to(request: RollbackRequest, *, as_json: bool) -> RollbackRequest:
    """The request with the digest that a person saw and agreed to."""
    _must_have_somebody(as_json=as_json)

    async def show() -> Answer:
        from rollback_manager.rendering import terminal_plan

        made = await planning.asked(request)
        must_go_by_the_gateway(made)
        typed = terminal_plan.is_typed_out(made)
        return Answer(terminal_plan.plan(made), {"digest": made.digest, "typed": typed})

    answer = console.answered(show, as_json=as_json)
    console.say(answer.text)
    agreed = _typed_out(request) if answer.document["typed"] else _said_yes(request)
    if agreed is None:
        declined = UsageError("not agreed to", effect=UNCHANGED, next_step="Nothing is left to do.")
        console.refuse(declined, as_json=as_json, code=DECLINED)
    return request.model_copy(
        update={"expect_plan": answer.document["digest"], "confirmed": agreed}
    )


def _must_have_somebody(*, as_json: bool) -> None:
    if console.somebody_is_there():
        return
    error = UsageError(
        "nobody can be asked here, and neither --yes, --confirm nor --expect-plan was given",
        effect=UNCHANGED,
        next_step="Quote a plan: --expect-plan DIGEST (see rollback-manager plan); or --yes,"
        " from tier T2 on --confirm SERVICE",
    )
    console.refuse(error, as_json=as_json)


def _said_yes(request: RollbackRequest) -> str | None:
    """Empty: yes, and nothing was typed out. None: no."""
    what = ", ".join(request.services)
    agreed = console.agreed(f"\nRoll back {what} in {request.env} as planned above?")
    return "" if agreed else None


def _typed_out(request: RollbackRequest) -> str | None:
    """The service as it was typed; None: it was not."""
    what = ", ".join(request.services)
    typed = console.typed(f"\nRoll back {what} in {request.env}? Type {request.services[0]}:")
    return typed if typed in request.services else None


def main() -> None:
    """Run `rollback-manager start`."""
    console.main(console.single(start))
