"""`list`: the rollbacks that Temporal remembers, running and ended."""

from __future__ import annotations

from typing import Annotated

import typer

from starters import console, naming
from starters.console import Answer
from starters.options import Json


def rollbacks(
    env: Annotated[
        str | None, typer.Option("--env", metavar="E", help="Only this one; default: all.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List the rollbacks, newest first, running and ended."""

    async def verb() -> Answer:
        only = naming.named("environment", env) if env else None
        from rollback_manager.rendering import terminal
        from starters.connection import connected

        async with connected() as client:
            runs = await client.list(env=only, limit=limit)
        document = {"rollbacks": [run.model_dump(mode="json") for run in runs]}
        return Answer(terminal.listed(runs), document)

    console.run(verb, as_json=as_json)


def main() -> None:
    """Run `rollback-manager list`."""
    console.main(console.single(rollbacks))
