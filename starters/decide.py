"""`approve` and `reject`: a vote, which counts only for the plan that it quotes."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import Blocked, RollbackError, Unreachable
from starters import console, naming
from starters.console import Answer
from starters.options import By, Confirm, Json, Reason, Rollback
from starters.refusals import BLOCKED, DECLINED, GOING_ON, STALE, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.client import Rollback as Running
    from rollback_manager.contract import Answered

Plan = Annotated[
    str | None,
    typer.Option("--plan", metavar="DIGEST", help="The plan that you saw; at least 12 digits."),
]


def approve(
    rollback: Rollback,
    plan: Plan = None,
    confirm: Confirm = None,
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Agree to the plan of ROLLBACK that waits for you."""
    _decide("approve", rollback, plan, confirm, reason, by, as_json)


def reject(
    rollback: Rollback, plan: Plan = None, reason: Reason = "", by: By = None, as_json: Json = False
) -> None:
    """Refuse the plan of ROLLBACK that waits for you; production stays as it is."""
    _decide("reject", rollback, plan, None, reason, by, as_json)


def _decide(
    decision: str,
    rollback: str,
    plan: str | None,
    confirm: str | None,
    reason: str,
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
    quoted = plan or _seen(decision, named, as_json=as_json)
    who = by or naming.operator()

    async def verb() -> Answer:
        return await _vote(decision, named, quoted, who, reason, confirm)

    console.finish(console.answered(verb, as_json=as_json), as_json=as_json)


def _seen(decision: str, rollback: str, *, as_json: bool) -> str:
    """Show from → to and the digest; the digest, if the person says yes to just that."""

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
        return Answer(page([*lines, f"plan {now_is.digest}"]), {"digest": now_is.digest})

    answer = console.answered(show, as_json=as_json)
    console.say(answer.text)
    if not console.agreed(f"Do you {decision} this?"):
        declined = UsageError(
            "no vote was given", effect=UNCHANGED, next_step="The question stays open."
        )
        console.refuse(declined, as_json=as_json, code=DECLINED)
    return str(answer.document["digest"])


async def _vote(
    decision: str, rollback: str, plan: str, by: str, reason: str, confirm: str | None
) -> Answer:
    from rollback_manager.contract import Decision, Vote
    from rollback_manager.rendering.layout import foreign, page
    from starters.connection import connected

    async with connected() as client:
        running = client.rollback(rollback)
        if decision == Decision.APPROVE:
            await _must_be_typed(running, reason, confirm)
        vote = Vote(plan=plan, by=by, reason=reason)
        vote_id = f"{decision}-{secrets.token_hex(8)}"
        got = await running.vote(Decision(decision), vote, vote_id=vote_id)
        code = 0 if got.applied else await _why_not(running, plan)
    word = "applied" if got.applied else "not applied"
    document = {"rollback": rollback, "decision": decision, **got.model_dump(mode="json")}
    text = page(
        [f"{decision} by {foreign(by)}: {word}: {foreign(got.because)}", _follow(got, rollback)]
    )
    return Answer(text, document, code)


async def _must_be_typed(running: Running, reason: str, confirm: str | None) -> None:
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
        confirmed=confirm or "",
        incident=now_is.incident,
        reason=reason,
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
