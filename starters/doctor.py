"""`doctor`: what is missing here, and what to type next. Useful before anything is set up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.errors import RollbackError
from rollback_manager.veil import VEIL
from starters import console, settings
from starters.checkup import Finding, Level
from starters.console import Answer
from starters.doctor_sources import of_sources
from starters.options import Json
from starters.refusals import BLOCKED

if TYPE_CHECKING:
    from rollback_manager.catalogue import Catalogue

PYTHON = (3, 11)
LABEL = 27

PROTECTIONS = (
    ("sign-in", "everybody who can reach Temporal's port is this one operator"),
    ("signed votes", "an approval is recorded with the name that was typed"),
    ("two persons", "whoever asks may also agree"),
)
"""What `local` does not give, and what that means."""


SECURE_IT = "Say security: secured of it in the catalogue (docs/security.md); until then keep \
Temporal and the gateway on 127.0.0.1"


def doctor(
    catalogue: Annotated[
        Path | None,
        typer.Option("--catalogue", metavar="FILE", help="Also check this one."),
    ] = None,
    kubernetes: Annotated[
        bool,
        typer.Option("--kubernetes", help="Have the worker check its rights in its clusters."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what is missing here and how to get it; exit 7 if something has to be done."""

    async def verb() -> Answer:
        found = _read(catalogue or settings.read().catalogue)
        findings = [*_here(found), *await _temporal()]
        findings += await of_sources(findings, found)
        if kubernetes:
            findings += await _clusters()
        findings += _security(found)
        code = BLOCKED if any(one.level is Level.FAIL for one in findings) else 0
        document = {"checks": [one.as_document() for one in findings]}
        return Answer(VEIL.over(_text(findings)), document, code)

    console.run(verb, as_json=as_json)


def _here(found: Catalogue | Finding | None) -> Iterator[Finding]:
    """What needs no network."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= PYTHON:
        yield Finding("Python", Level.OK, version)
    else:
        yield Finding("Python", Level.FAIL, version, "Install Python 3.11 or newer")
    yield _worker_parts()
    env = settings.read().env
    told = f"ROLLBACK_ENV={env}" if env else "no default: every verb needs --env"
    yield Finding("environment", Level.OK, told)
    if found is not None:
        yield found if isinstance(found, Finding) else _sound(found)


def _worker_parts() -> Finding:
    from importlib.util import find_spec

    if find_spec("sqlalchemy") is None:
        told = "not installed: rollbacks can be started here, not carried out"
        return Finding("worker parts", Level.WARN, told, "pip install 'rollback-manager[worker]'")
    return Finding("worker parts", Level.OK, "installed")


def _read(file: Path | None) -> Catalogue | Finding | None:
    """The catalogue, or what is wrong with it; None where none is named."""
    from starters.catalogue_file import read

    if file is None:
        return None
    try:
        return read(file)
    except RollbackError as error:
        return Finding("catalogue", Level.FAIL, error.what, error.next_step)


def _sound(catalogue: Catalogue) -> Finding:
    told = f"no mistakes; services: {len(catalogue.services)}"
    return Finding("catalogue", Level.OK, told)


async def _temporal() -> list[Finding]:
    from rollback_manager.client import connect
    from starters.checkup import of_server

    try:
        client = await connect()
    except RollbackError as error:
        return [
            Finding("Temporal", Level.FAIL, error.what, error.next_step),
            Finding("worker", Level.FAIL, "unknown: Temporal is asked who polls", START_ALL),
        ]
    return await of_server(client)


async def _clusters() -> list[Finding]:
    """The worker answers: nobody else holds its credentials."""
    from rollback_manager.access import ClustersAsked
    from starters.connection import connected

    try:
        async with connected() as client:
            found = await client.checkup(ClustersAsked())
    except RollbackError as error:
        return [Finding("Kubernetes", Level.FAIL, error.what, error.next_step or START_ALL)]
    return [Finding(one.check, Level(one.level), one.told, one.next_step) for one in found.checks]


START_ALL = "rollback-manager serve (Temporal, Web UI and a worker on this machine)"


def _security(found: Catalogue | Finding | None) -> Iterator[Finding]:
    """By environment, where a catalogue says so; what is nowhere secured is one operator's."""
    levels = _levels(found)
    for env in sorted(env for env, level in levels.items() if level is SecurityLevel.SECURED):
        told = f"{env}: secured, by the gateway alone: people sign in, and each vote is signed"
        yield Finding("security", Level.OK, told)
    local = sorted(env for env, level in levels.items() if level is SecurityLevel.LOCAL)
    if local or not levels:
        told = f"{', '.join(local) or console.SECURITY}: one operator, whoever comes"
        yield Finding("security", Level.WARN, told, SECURE_IT)
        for protection, effect in PROTECTIONS:
            yield Finding(f"  {protection}", Level.WARN, f"off: {effect}")
    yield _encryption()


def _levels(found: Catalogue | Finding | None) -> dict[str, SecurityLevel]:
    if found is None or isinstance(found, Finding):
        return {}
    return {env: one.security for env, one in found.environments.items()}


def _encryption() -> Finding:
    """Of this process alone; a worker with other keys would not understand what it sends."""
    from rollback_manager.client.connection import CODEC_KEYS, codec_keys

    name = "  encrypted history"
    try:
        is_on = codec_keys() is not None
    except RollbackError as error:
        return Finding(name, Level.FAIL, error.what, error.next_step)
    if is_on:
        return Finding(name, Level.OK, f"on: {CODEC_KEYS} is set")
    told = "off: whoever can read Temporal's database can read the plans"
    return Finding(name, Level.WARN, told, f"Set {CODEC_KEYS}: docs/encryption.md")


def _text(findings: list[Finding]) -> str:
    from rollback_manager.rendering.layout import page

    lines: list[str] = []
    for one in findings:
        first, *rest = one.told.splitlines() or [""]
        lines.append(f"{one.level:<4}  {one.check:<{LABEL - 8}}  {first}")
        lines += [" " * LABEL + line for line in rest]
        if one.next_step and one.level is not Level.OK:
            lines.append(" " * LABEL + f"next: {one.next_step}")
    return page(lines)


def main() -> None:
    """Run `rollback-manager doctor`."""
    console.main(console.single(doctor))
