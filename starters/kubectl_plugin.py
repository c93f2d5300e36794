"""`kubectl rollback VERB`: the same verbs, at the place where kubectl is.

Nothing is decided here: the namespace and the context become the environment and the services of
the catalogue, and the verb does the rest.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from rollback_manager.errors import RollbackError
from starters import console, settings
from starters.kubectl_names import Where, here, leading, taken_out, translated
from starters.refusals import UNCHANGED, USAGE, UsageError

OF_SERVICES = ("plan", "start")
OF_A_ROLLBACK = ("watch", "status", "approve", "reject", "abort", "pause", "resume", "report")
OPTIONS = {
    "-n": "namespace",
    "--namespace": "namespace",
    "--context": "context",
    "--kubeconfig": "kubeconfig",
    "--catalogue": "catalogue",
}
HELP = f"""Roll back what runs in a namespace: rollback-manager, spoken as kubectl.

Usage: kubectl rollback VERB (SERVICE | KIND/NAME)... [-n NAMESPACE] [--context C] [options]
       kubectl rollback VERB rollback/ENV/KEY [options]

  {", ".join(OF_SERVICES)}: a service of the catalogue, or what keeps its pods: deployment/shop
  {", ".join(OF_A_ROLLBACK)}: the same, for its newest rollback

Options:
  -n, --namespace N    default: that of the context
  --context C          default: the current one
  --kubeconfig FILE    default: KUBECONFIG, or ~/.kube/config
  --catalogue FILE     default: ROLLBACK_CATALOGUE
All others are those of the verb: rollback-manager VERB --help"""
ASK_S = 5


def command(words: Sequence[str]) -> list[str]:
    """The words of `rollback-manager` that mean the same."""
    given, rest = taken_out(words, OPTIONS)
    verb, *after = rest or [""]
    if verb not in (*OF_SERVICES, *OF_A_ROLLBACK):
        verbs = ", ".join((*OF_SERVICES, *OF_A_ROLLBACK))
        raise UsageError(
            f"kubectl rollback has no verb {verb!r}; it has: {verbs}",
            effect=UNCHANGED,
            next_step="kubectl rollback --help; all other verbs are those of rollback-manager",
        )
    named = list(leading(after))
    if not named or named[0].startswith("rollback/"):
        return [verb, *after]  # nothing of a place in it: the verb itself says what it lacks
    env, services = _translated(given, named)
    others = after[len(named) :]
    if verb in OF_SERVICES:
        return [verb, *services, "--env", env, *others]
    return [verb, asyncio.run(_newest(env, services)), *others]


def _translated(given: Mapping[str, str], named: Sequence[str]) -> tuple[str, list[str]]:
    from starters.catalogue_file import read

    file = Path(given["catalogue"]) if "catalogue" in given else settings.read().catalogue
    if file is None:
        raise UsageError(
            "no catalogue is named: it says which environment a namespace belongs to",
            effect=UNCHANGED,
            next_step="Name it: --catalogue FILE, or ROLLBACK_CATALOGUE=FILE",
        )
    catalogue, where = read(file), _where(given)
    if any(one.uid for one in catalogue.clusters.values()):
        where = where._replace(uid=_uid(where.context, given))
    return translated(here(catalogue, where), named, where)


def _where(given: Mapping[str, str]) -> Where:
    """Context and namespace as kubectl itself would take them."""
    config = _kubectl(given, "config", "view", "-o", "json")
    import json

    read: dict[str, Any] = json.loads(config)
    context = given.get("context") or read.get("current-context") or ""
    known = {one["name"]: one.get("context", {}) for one in read.get("contexts") or []}
    if context not in known:
        told = f"no context {context!r}" if context else "no current context"
        raise UsageError(
            f"{told} in the kubeconfig; it has: {', '.join(sorted(known)) or 'none'}",
            effect=UNCHANGED,
            next_step="Name one: --context CONTEXT",
        )
    namespace = given.get("namespace") or known[context].get("namespace") or "default"
    return Where(context, namespace)


def _uid(context: str, given: Mapping[str, str]) -> str:
    """Of the cluster itself; empty where this user may not ask, and then the names must do."""
    words = ("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    try:
        return _kubectl(given, "--context", context, f"--request-timeout={ASK_S}s", *words)
    except UsageError:
        return ""


def _kubectl(given: Mapping[str, str], *words: str) -> str:
    own = ("--kubeconfig", given["kubeconfig"]) if "kubeconfig" in given else ()
    try:
        done = subprocess.run(  # noqa: S603 - no shell between
            ["kubectl", *own, *words],  # noqa: S607 - whoever runs a plug-in has it on PATH
            check=True,
            capture_output=True,
            text=True,
            timeout=2 * ASK_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        raise UsageError(
            f"kubectl does not say where it is: {' '.join(str(told).split())[:300]}",
            effect=UNCHANGED,
            next_step="kubectl config get-contexts",
        ) from error
    return done.stdout


async def _newest(env: str, services: Sequence[str]) -> str:
    """The newest rollback of these services that Temporal remembers."""
    from starters.connection import connected

    async with connected() as client:
        for run in await client.list(env=env, limit=1000):
            if set(services) <= set(run.services):
                return run.rollback
    raise UsageError(
        f"no rollback of {', '.join(services)} in {env} is known",
        effect=UNCHANGED,
        next_step=f"See them all: rollback-manager list --env {env}",
    )


def main() -> None:
    """Run `kubectl rollback`."""
    from rollback_manager.verbs import run

    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        console.show(HELP)
        return
    try:
        verb, *rest = command(words)
    except RollbackError as error:
        try:
            console.refuse(error, as_json="--json" in words)
        except typer.Exit as end:
            sys.stdout.flush()
            os._exit(end.exit_code or USAGE)
    run(verb, rest)
