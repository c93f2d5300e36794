"""`approve` and `reject`: a vote, which counts only for the plan that it quotes."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rollback_manager.errors import Blocked, RollbackError, Unreachable
from starters import console, naming
from starters.console import Answer
from starters.options import By, Confirm, Incident, Json, Reason, Rollback
from starters.refusals import BLOCKED, DECLINED, GOING_ON, STALE, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.client import Rollback as Running
    from rollback_manager.contract import Answered
    from rollback_manager.progress import RollbackStatus

Plan = Annotated[
    str | None,
    typer.Option("--plan", metavar="DIGEST", help="The plan that you saw; at least 12 digits."),
]


class Beside(NamedTuple):
    """What is said beside the vote. confirm: the service as it was typed out."""

    reason: str = ""
    confirm: str | None = None
    incident: str = ""


def approve(
    rollback: Rollback,
    plan: Plan = None,
    confirm: Confirm = None,
    incident: Incident = "",
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Agree to the plan of ROLLBACK that waits for you."""
    _decide("approve", rollback, plan, Beside(reason, confirm, incident), by, as_json)


def reject(
    rollback: Rollback, plan: Plan = None, reason: Reason = "", by: By = None, as_json: Json = False
) -> None:
    """Refuse the plan of ROLLBACK that waits for you; production stays as it is."""
    _decide("reject", rollback, plan, Beside(reason), by, as_json)


def _decide(
    decision: str,
    rollback: str,
    plan: str | None,
    beside: Beside,
    by: str | None,
    as_json: bool,
) -> None:
    console.say_security()
    try:
        named = naming.rollback(rollback)
        if plan is None and not console.somebody_is_there():
            raise UsageError(
                "nobody can be asked here, and no plan is quoted",
                effect=UNCHANGED,
                next_step=f"Quote what you saw: --plan DIGEST (rollback-manager status {named})",
            )
    except RollbackError as error:
        console.refuse(error, as_json=as_json)
    quoted = plan
    if quoted is None:
        quoted, typed = _seen(decision, named, beside, as_json=as_json)
        beside = beside._replace(confirm=typed)
    who = by or naming.operator()

    async def verb() -> Answer:
        return await _vote(decision, named, quoted, who, beside)

    console.finish(console.answered(verb, as_json=as_json), as_json=as_json)


def _seen(decision: str, rollback: str, beside: Beside, *, as_json: bool) -> tuple[str, str | None]:
    """Show from → to and the digest; the digest, if the person says yes to just that.

    Where the service must be typed out, that is the yes; it comes second.
    """
    services: list[str] = []

    async def show() -> Answer:
        from rollback_manager.rendering.layout import page
        from starters.connection import connected

        async with connected() as client:
            now_is = await client.rollback(rollback).status()
        if not now_is.digest:
            raise Blocked(
                f"{rollback} has no plan yet: it is {now_is.state}",
                effect=UNCHANGED,
                next_step=f"Look again: rollback-manager status {rollback}",
            )
        lines = [f"{s.service}   {s.from_version} → {s.to_version}" for s in now_is.services]
        services.extend(_to_be_typed(decision, now_is, beside))
        return Answer(page([*lines, f"plan {now_is.digest}"]), {"digest": now_is.digest})

    answer = console.answered(show, as_json=as_json)
    console.say(answer.text)
    agreed, confirm = _asked(decision, services, beside.confirm)
    if not agreed:
        declined = UsageError(
            "no vote was given", effect=UNCHANGED, next_step="The question stays open."
        )
        console.refuse(declined, as_json=as_json, code=DECLINED)
    return str(answer.document["digest"]), confirm


def _asked(decision: str, services: Sequence[str], confirm: str | None) -> tuple[bool, str | None]:
    """Whether the person agrees, and the service that they typed out, if one is asked for."""
    if not services:
        return console.agreed(f"Do you {decision} this?"), confirm
    typed = console.typed(f"Do you {decision} this? It is typed out: type {services[0]}:")
    return typed in services, typed


def _to_be_typed(decision: str, now_is: RollbackStatus, beside: Beside) -> tuple[str, ...]:
    """The services of which one is to be typed out here; none where nothing is, or it is there."""
    from rollback_manager.authority.level import SecurityLevel
    from rollback_manager.tier import Tier

    alone = now_is.security == SecurityLevel.LOCAL and decision == "approve"
    if not alone or beside.confirm is not None or now_is.tier not in {Tier.T2, Tier.T3}:
        return ()
    return tuple(one.service for one in now_is.services)


async def _vote(decision: str, rollback: str, plan: str, by: str, beside: Beside) -> Answer:
    from rollback_manager.contract import Decision, Vote
    from rollback_manager.rendering.layout import foreign, page
    from starters.connection import connected

    async with connected() as client:
        running = client.rollback(rollback)
        if decision == Decision.APPROVE:
            await _must_be_typed(running, beside)
        vote = Vote(plan=plan, by=by, reason=beside.reason)
        got = await running.vote(
            Decision(decision),
            vote,
            vote_id=f"{decision}-{secrets.token_hex(8)}",
            confirm=beside.confirm or "",
            incident=beside.incident,
        )
        code = 0 if got.applied else await _why_not(running, plan)
    word = "applied" if got.applied else "not applied"
    document = {"rollback": rollback, "decision": decision, **got.model_dump(mode="json")}
    text = page(
        [f"{decision} by {foreign(by)}: {word}: {foreign(got.because)}", _follow(got, rollback)]
    )
    return Answer(text, document, code)


async def _must_be_typed(running: Running, beside: Beside) -> None:
    """What stands for the second person where one decides alone (tier T2 and up)."""
    from rollback_manager.authority.level import SecurityLevel
    from rollback_manager.authority.may import Facts, unconfirmed

    try:
        now_is = await running.status()
    except Unreachable:
        return  # a vote without an answer is stored, and judged by the workflow
    if now_is.tier is None or now_is.security != SecurityLevel.LOCAL:
        return
    facts = Facts(
        level=SecurityLevel.LOCAL,
        services=tuple(one.service for one in now_is.services),
        confirmed=beside.confirm or "",
        incident=beside.incident or now_is.incident,
        reason=beside.reason,
    )
    if because := unconfirmed(now_is.tier, facts):
        raise UsageError(
            f"it is {now_is.tier}, and nobody else looks at it",
            effect=UNCHANGED,
            next_step=because[0].upper() + because[1:],
        )


def _follow(got: Answered, rollback: str) -> str:
    verb = "watch" if got.applied else "status"
    return f"next:  rollback-manager {verb} {rollback}"


async def _why_not(running: Running, plan: str) -> int:
    """The code for a vote that did not count: stale plan, closed question, or nobody there."""
    try:
        now_is = await running.status()
    except Unreachable:
        return GOING_ON
    return BLOCKED if now_is.digest.startswith(plan) else STALE


def main() -> None:
    """Run `rollback-manager approve` or `reject`: the launcher says which."""
    verbs: dict[str, Callable[..., None]] = {"approve": approve, "reject": reject}
    console.main(console.single(verbs[sys.argv[0].split()[-1]]))
