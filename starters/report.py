"""`report`: what happened, what it cost, what to change; made from Temporal's own history."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollback_manager.errors import RollbackError
from starters import console, naming
from starters.console import Answer
from starters.options import Folder, Json, Rollback
from starters.refusals import UNCHANGED, UsageError, what

PROOF_S = 5.0
"""For the entries since the anchor before the rollback: some thousands a second."""

if TYPE_CHECKING:
    from rollback_manager.client import RollbackClient
    from rollback_manager.report import Report


class Output(StrEnum):
    """The forms of a report."""

    MARKDOWN = "md"
    JSON = "json"
    HTML = "html"


def report(
    rollback: Rollback,
    output: Annotated[Output, typer.Option("--output", help="Its form.")] = Output.MARKDOWN,
    out: Folder = None,
    as_json: Json = False,
) -> None:
    """Say what happened in ROLLBACK, what it cost and what to change."""

    async def verb() -> Answer:
        named = naming.rollback(rollback)
        made = await _made(named)
        text = written(made, output)
        if out is not None:
            text = str(_kept(text, out / f"{named.replace('/', '-')}.{output}"))
        return Answer(text, {"rollback": named, "report": made.model_dump(mode="json")})

    console.run(verb, as_json=as_json)


async def _made(rollback: str) -> Report:
    from rollback_manager.report import build
    from starters.connection import connected
    from starters.history import entries

    async with connected() as client:
        made = build(await entries(client.temporal, rollback))
        return made.model_copy(update=await _proof(client, rollback))


async def _proof(client: RollbackClient, rollback: str) -> dict[str, object]:
    """What the audit chain says; the report is complete without it where no worker answers."""
    from rollback_manager.audit.asked import AuditRequest, ProveRollback

    try:
        ask = AuditRequest(ask=ProveRollback(rollback=rollback))
        answer = await client.audit(ask, timeout_s=PROOF_S)
    except RollbackError as error:
        return {"no_audit_because": what(error)}
    return {"audit": answer.proof}


def written(made: Report, output: Output) -> str:
    """The report in the form that was asked for."""
    from rollback_manager.rendering import html, markdown

    match output:
        case Output.MARKDOWN:
            return markdown.report(made)
        case Output.JSON:
            return made.model_dump_json()
        case Output.HTML:
            return html.report(made)


def _kept(text: str, file: Path) -> Path:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror}", effect=UNCHANGED, next_step="Name a folder: --out FOLDER"
        ) from error
    return file


def main() -> None:
    """Run `rollback-manager report`."""
    console.main(console.single(report))
