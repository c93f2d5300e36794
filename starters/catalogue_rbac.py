"""`catalogue rbac`: the rights that the worker needs in its clusters, for kubectl to give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starters import console, naming
from starters.console import Answer
from starters.options import Env
from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.rights import Place, Right

ACCOUNT = "rollback-manager/rollback-manager"
"""As deploy/kubernetes/ makes it."""
LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
AN_ACCOUNT = re.compile(rf"{LABEL}/{LABEL}(\.{LABEL})*")


def rbac(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The catalogue, in YAML.")],
    env: Env = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="C", help="Only there; needed where there are several."),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", metavar="NAMESPACE/NAME", help="The worker's.")
    ] = ACCOUNT,
) -> None:
    """Print the Roles that the services of FILE need.

    Nothing more than what is needed; objects are named wherever the catalogue names them. A person
    who may gives them to the worker: kubectl apply -f FILE
    """

    async def verb() -> Answer:
        from rollback_manager.rendering.roles import manifest
        from rollback_manager.rights import rights
        from starters.catalogue_file import read

        where, (space, name) = naming.environment(env), _account(account)
        wanted = _in(cluster, where, rights(read(file), where))
        command = f"rollback-manager catalogue rbac {file.name} --env {where}"
        return Answer(manifest(wanted, (space, name), command))

    console.run(verb, as_json=False, talks=False)


def _account(typed: str) -> tuple[str, str]:
    if not AN_ACCOUNT.fullmatch(typed):
        raise UsageError(
            f"{typed!r} names no ServiceAccount",
            effect=UNCHANGED,
            next_step=f"Name it: --account NAMESPACE/NAME, as in {ACCOUNT}",
        )
    space, _, name = typed.partition("/")
    return space, name


def _in(
    cluster: str | None, env: str, found: Mapping[Place, tuple[Right, ...]]
) -> dict[Place, tuple[Right, ...]]:
    """Those of one cluster: what is given to another one there is a right too much."""
    known = sorted({place.cluster for place in found})
    if cluster is None and len(known) == 1:
        return dict(found)
    if cluster in known:
        return {place: some for place, some in found.items() if place.cluster == cluster}
    asked = f"the cluster {cluster}" if cluster else f"{len(known)} clusters"
    raise UsageError(
        f"{env} has services in {', '.join(known) or 'no cluster of Kubernetes'}, not in {asked}"
        if cluster or not known
        else f"{env} has services in {asked}: {', '.join(known)}",
        effect=UNCHANGED,
        next_step="Name one of them: --cluster C" if known else "Name another one: --env E",
    )
