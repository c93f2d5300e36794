"""`may-deploy`: the gate that a pipeline asks before the way forward. Exit 0 is yes, 7 is no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import RollbackError
from starters import console, naming, refusals
from starters.console import Answer
from starters.options import Env, Json, Service
from starters.refusals import BLOCKED, EXIT_CODES, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.deploys import MayDeploy

LONGEST_DIGEST = 512
"""Characters; an image with its repository, far below Temporal's limits."""


def may_deploy(
    service: Service,
    env: Env = None,
    digest: Annotated[
        str, typer.Option("--digest", metavar="D", help="Of the image that would go out.")
    ] = "",
    version: Annotated[
        str, typer.Option("--version", metavar="V", help="Of the release that would go out.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say whether SERVICE may be deployed now: exit 0 for yes, 7 for no with the reason.

    No: while it is rolled back, in a freeze, for a release that is known to be bad, and where
    nobody can tell.
    """

    async def verb() -> Answer:
        from rollback_manager.deploys import MayDeploy

        ask = MayDeploy(
            env=naming.environment(env),
            service=naming.named("service", service),
            digest=_digest(digest),
            version=naming.named("version", version) if version else "",
        )
        return await _asked(ask)

    console.run(verb, as_json=as_json)


async def _asked(ask: MayDeploy) -> Answer:
    from rollback_manager.deploys import DeployRequest
    from rollback_manager.rendering import terminal_deploys
    from starters.connection import connected

    about = ask.model_dump(exclude={"verb"})
    try:
        async with connected() as client:
            answer = await client.deploys(DeployRequest(ask=ask))
    except RollbackError as error:
        if refusals.kind(error) in EXIT_CODES:  # it was asked, and cannot be meant
            raise
        because = refusals.what(error)
        document = {**about, "may_deploy": False, "known": False, "because": [because]}
        return Answer(terminal_deploys.unknown(ask, because), document, BLOCKED)
    document = {
        **about,
        "may_deploy": bool(answer.may),
        "known": True,
        "because": list(answer.because),
    }
    text = terminal_deploys.may_deploy(ask, answer)
    return Answer(text, document, 0 if answer.may else BLOCKED)


def _digest(typed: str) -> str:
    if len(typed) <= LONGEST_DIGEST and not any(char.isspace() for char in typed):
        return typed
    raise UsageError(
        "this is not a digest",
        effect=UNCHANGED,
        next_step="Digests look like sha256:9ab1…, with the repository before an @ or without",
    )


def main() -> None:
    """Run `rollback-manager may-deploy`."""
    console.main(console.single(may_deploy))
