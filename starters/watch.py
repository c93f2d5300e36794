"""`watch`: follow a running rollback until it ends."""

from __future__ import annotations

from starters import console, naming
from starters.ci.files import Dotenv, Junit, written
from starters.console import Answer
from starters.options import Json, Rollback, Timeout


def watch(
    rollback: Rollback,
    timeout: Timeout = None,
    junit: Junit = None,
    dotenv: Dotenv = None,
    as_json: Json = False,
) -> None:
    """Follow ROLLBACK until it ends, and exit with its outcome. Ctrl-C leaves, it goes on."""

    async def verb() -> Answer:
        named = naming.rollback(rollback)
        from starters.ci.page import with_page
        from starters.connection import connected
        from starters.following import until_left

        async with connected() as client:
            answer = await until_left(client.rollback(named), timeout)
            return written(await with_page(client, answer), junit, dotenv)

    console.run(verb, as_json=as_json)


def main() -> None:
    """Run `rollback-manager watch`."""
    console.main(console.single(watch))
