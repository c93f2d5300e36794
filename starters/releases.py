"""`releases`: what went out, what was frozen with it, and which of them is known good."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from starters import console, naming
from starters.console import Answer
from starters.options import By, Env, Json, Service, Version

if TYPE_CHECKING:
    from rollback_manager.contract import ListReleases, MarkRelease, RecordRelease

ANSWER_S = 120.0
"""What a worker may take beside the measuring: it freezes a restore point."""

app = console.group()


class Judged(StrEnum):
    """What a person may say of a release."""

    VERIFIED = "verified"
    BAD = "bad"


@app.command()
def record(
    service: Service,
    version: Version,
    env: Env = None,
    from_cluster: Annotated[
        bool, typer.Option("--from-cluster", help="Kubernetes: insist on all, freeze it anew.")
    ] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Remember that VERSION went out.

    What runs now is frozen as its restore point. On Kubernetes that is as much as the worker may
    read of its templates, autoscalers, ConfigMaps and routes; of Secrets only when each was
    written.
    """

    async def verb() -> Answer:
        where, of, this = _names(env, service, version)
        from rollback_manager.contract import RecordRelease

        return await _ask(
            RecordRelease(
                env=where,
                service=of,
                version=this,
                by=by or naming.operator(),
                from_cluster=from_cluster,
            )
        )

    console.run(verb, as_json=as_json)


@app.command("list")
def listed(service: Service, env: Env = None, as_json: Json = False) -> None:
    """List the releases of SERVICE, newest first."""

    async def verb() -> Answer:
        where, of, _ = _names(env, service, None)
        from rollback_manager.contract import ListReleases

        return await _ask(ListReleases(env=where, service=of))

    console.run(verb, as_json=as_json)


@app.command()
def mark(
    service: Service,
    version: Version,
    standing: Annotated[Judged, typer.Argument(metavar="verified|bad", help="What you know.")],
    env: Env = None,
    because: Annotated[str, typer.Option("--because", help="The evidence, in words.")] = "",
    measure_s: Annotated[
        float,
        typer.Option("--measure-s", metavar="S", min=0, help="First measure a baseline so long."),
    ] = 0,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Say that VERSION is known good, or that it is bad.

    A rollback goes to what is known good.
    """

    async def verb() -> Answer:
        where, of, this = _names(env, service, version)
        from rollback_manager.contract import MarkRelease
        from rollback_manager.release import Standing

        return await _ask(
            MarkRelease(
                env=where,
                service=of,
                version=this,
                by=by or naming.operator(),
                standing=Standing(standing),
                because=because,
                measure_s=measure_s,
            ),
            measure_s=measure_s,
        )

    console.run(verb, as_json=as_json)


def _names(env: str | None, service: str, version: str | None) -> tuple[str, str, str]:
    return (
        naming.environment(env),
        naming.named("service", service),
        naming.named("version", version) if version is not None else "",
    )


async def _ask(ask: RecordRelease | MarkRelease | ListReleases, *, measure_s: float = 0) -> Answer:
    from rollback_manager.contract import ReleaseRequest
    from rollback_manager.rendering import terminal
    from starters.connection import connected

    async with connected() as client:
        request = ReleaseRequest(ask=ask)
        got = await client.releases(request, timeout_s=measure_s + ANSWER_S)
    document = {
        "env": ask.env,
        "service": ask.service,
        "releases": [release.model_dump(mode="json") for release in got.releases],
    }
    return Answer(terminal.releases(ask.service, got.releases), document)


def main() -> None:
    """Run `rollback-manager releases`."""
    console.main(app)
