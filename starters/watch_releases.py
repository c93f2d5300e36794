"""`watch-releases`: what is watched beside what, what each says, and what cannot be read."""

from __future__ import annotations

from starters import console, naming
from starters.console import Answer
from starters.options import Env, Json


def watch_releases(env: Env = None, as_json: Json = False) -> None:
    """Show which releases are watched, and what is seen of each."""

    async def verb() -> Answer:
        where = naming.environment(env)
        from datetime import UTC, datetime

        from rollback_manager.rendering import terminal_watch
        from starters.connection import connected

        async with connected() as client:
            seen = await client.watch(where)
        document = {"env": where, **seen.model_dump(mode="json")}
        return Answer(terminal_watch.watch(seen, datetime.now(UTC)), document)

    console.run(verb, as_json=as_json)


def main() -> None:
    """Run `rollback-manager watch-releases`."""
    console.main(console.single(watch_releases))
