"""`budget`: the rollbacks that are held because too many began at once, and the answer to that."""

from __future__ import annotations

from typing import Annotated

import typer

from rollback_manager.errors import Blocked
from starters import console, naming
from starters.console import Answer
from starters.options import By, Env, Json, Reason
from starters.refusals import BLOCKED, GOING_ON, UNCHANGED, UsageError

app = console.group()
Rollbacks = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ROLLBACK]...", help="rollback/ENV/KEY, as this verb prints them."),
]
All = Annotated[bool, typer.Option("--all", help="All that are held in the environment.")]


@app.callback(invoke_without_command=True)
def budget(context: typer.Context, env: Env = None, as_json: Json = False) -> None:
    """Show which rollbacks are held, as the one question that they are; exit 8 while any is."""
    if context.invoked_subcommand is not None:
        return

    async def verb() -> Answer:
        where = naming.environment(env)
        from rollback_manager.rendering import budget as rendering
        from starters.connection import connected

        async with connected() as client:
            now_is = await client.budget(where).status()
        document = {"env": where, "budget": now_is.model_dump(mode="json")}
        return Answer(rendering.terminal(now_is), document, GOING_ON if now_is.held else 0)

    console.run(verb, as_json=as_json)


@app.command()
def admit(
    rollbacks: Rollbacks = None,
    everything: All = False,
    env: Env = None,
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Let held rollbacks begin: they have causes of their own."""
    _answer("admit", rollbacks or [], everything, env, reason, by, as_json)


@app.command()
def dismiss(
    rollbacks: Rollbacks = None,
    everything: All = False,
    env: Env = None,
    reason: Reason = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """End held rollbacks; they touch nothing."""
    _answer("dismiss", rollbacks or [], everything, env, reason, by, as_json)


def _answer(
    name: str,
    rollbacks: list[str],
    everything: bool,
    env: str | None,
    reason: str,
    by: str | None,
    as_json: bool,
) -> None:
    async def verb() -> Answer:
        named = tuple(naming.rollback(one) for one in rollbacks)
        where = _environment(named, everything, env)
        from rollback_manager.fleet.budget import BudgetAnswer
        from rollback_manager.rendering.layout import foreign, page
        from starters.connection import connected

        answer = BudgetAnswer(
            by=by or naming.operator(), rollbacks=named, everything=everything, reason=reason
        )
        async with connected() as client:
            got = await client.budget(where).answer(name, answer)
        word = "applied" if got.applied else "not applied"
        lines = [f"budget {name}: {word}: {foreign(got.because)}", "next:  rollback-manager list"]
        document = {"env": where, "answer": name, **got.model_dump(mode="json")}
        return Answer(page(lines), document, 0 if got.applied else BLOCKED)

    console.run(verb, as_json=as_json)


def _environment(named: tuple[str, ...], everything: bool, env: str | None) -> str:
    """The one environment that is meant: the named ones say which."""
    if everything == bool(named):
        raise UsageError(
            "which rollbacks?",
            effect=UNCHANGED,
            next_step="Name them, or say --all; see them: rollback-manager budget --env E",
        )
    environments = {one.split("/")[1] for one in named} | ({env} if env else set())
    if everything or not environments:
        return naming.environment(env)
    if len(environments) > 1:
        raise Blocked(
            f"these are of several environments: {', '.join(sorted(environments))}",
            effect=UNCHANGED,
            next_step="Answer each environment by itself: every one has its own budget.",
        )
    return environments.pop()


def main() -> None:
    """Run `rollback-manager budget`."""
    console.main(app)
