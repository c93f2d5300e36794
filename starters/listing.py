"""`list`: the rollbacks that Temporal remembers, and what ended ones left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starters import console, naming
from starters.console import Answer
from starters.options import Json, Limit, OnlyEnv

if TYPE_CHECKING:
    from rollback_manager.claim import Watched


def rollbacks(env: OnlyEnv = None, limit: Limit = 50, as_json: Json = False) -> None:
    """List the rollbacks, newest first, running and ended."""

    async def verb() -> Answer:
        only = naming.named("environment", env) if env else None
        from rollback_manager.rendering import terminal, terminal_stays
        from starters.connection import connected

        async with connected() as client:
            runs = await client.list(env=only, limit=limit)
            own = {run.rollback.split("/")[1] for run in runs}
            watched = await client.orphans(env=only, also=own)
            stays = await client.stays(env=only)
        document = {
            "rollbacks": [run.model_dump(mode="json") for run in runs],
            **_left(watched),
            "stays": [one.model_dump(mode="json") for one in stays],
        }
        text = [terminal_stays.after(stays), terminal.listed(runs, watched)]
        return Answer("\n".join(filter(None, text)), document)

    console.run(verb, as_json=as_json)


def _left(watched: tuple[Watched, ...]) -> dict[str, object]:
    """What was left behind, with the line to type; where it is not known, that."""
    orphans = [
        {**orphan.model_dump(mode="json"), "adopt": orphan.adopt_line}
        for known in watched
        for orphan in known.orphans
    ]
    unknown = [{"env": k.env, "because": k.trouble} for k in watched if k.trouble]
    return {"orphans": orphans, "orphans_unknown": unknown}


def main() -> None:
    """Run `rollback-manager list`."""
    console.main(console.single(rollbacks))
