"""`review`: what was done without approval, and who has looked at it since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starters import console, naming
from starters.console import Answer
from starters.options import By, Env, Json, Rollback
from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from rollback_manager.glass import Glass, ListGlasses, ReviewGlass

app = console.group()


@app.command("list")
def list_(env: Env = None, as_json: Json = False) -> None:
    """Show every break-glass of an environment, and until when it is to be reviewed."""

    async def verb() -> Answer:
        from rollback_manager.glass import ListGlasses

        return await _asked(ListGlasses(env=naming.environment(env)))

    console.run(verb, as_json=as_json)


@app.command()
def done(
    rollback: Rollback,
    reason: Annotated[str, typer.Option("--reason", help="What the review came to.")] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Note that ROLLBACK, which broke the glass, was reviewed by somebody."""

    async def verb() -> Answer:
        from rollback_manager.glass import ReviewGlass

        named = naming.rollback(rollback)
        if not reason.strip():
            raise UsageError(
                "a review says what it came to",
                effect=UNCHANGED,
                next_step="Say it: --reason 'the plan was right, the rota was not'",
            )
        env, who = named.split("/")[1], by or naming.operator()
        return await _asked(ReviewGlass(env=env, rollback=named, by=who, said=reason))

    console.run(verb, as_json=as_json)


async def _asked(ask: ListGlasses | ReviewGlass) -> Answer:
    from datetime import UTC, datetime

    from rollback_manager.glass import GlassRequest
    from rollback_manager.rendering.layout import page
    from starters.connection import connected

    async with connected() as client:
        known = await client.glasses(GlassRequest(ask=ask))
    now = datetime.now(UTC)
    lines = [line for one in known.glasses for line in _told(one, now)]
    return Answer(
        page(lines or [f"no glass was broken in {ask.env}"]), known.model_dump(mode="json")
    )


def _told(glass: Glass, now: datetime) -> list[str]:
    from rollback_manager.rendering import words
    from rollback_manager.rendering.layout import foreign

    stands = f"to be reviewed by {words.day_and_clock(glass.due_at)}"
    if glass.is_overdue(now):
        stands = f"OVERDUE since {words.day_and_clock(glass.due_at)}"
    if glass.reviewed_at is not None:
        stands = f"reviewed by {foreign(glass.reviewed_by)}: {foreign(glass.said)}"
    at, who = words.day_and_clock(glass.broken_at), foreign(glass.by)
    return [
        f"{glass.rollback}   {', '.join(glass.services)}   {at} by {who}",
        f"  {foreign(glass.incident)}: {foreign(glass.reason)}",
        f"  {stands}",
    ]


def main() -> None:
    """Run `rollback-manager review`."""
    console.main(app)
