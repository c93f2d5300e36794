"""Files for GitLab: checks as JUnit, and what later jobs read as variables (dotenv)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starters.refusals import UsageError

if TYPE_CHECKING:
    from starters.console import Answer

Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", dir_okay=False, help="Write the checks as JUnit XML."),
]
Dotenv = Annotated[
    Path | None,
    typer.Option(
        "--dotenv", metavar="FILE", dir_okay=False, help="Write the outcome for later jobs."
    ),
]


def written(answer: Answer, junit: Path | None, dotenv: Path | None) -> Answer:
    """The answer itself, once the files that were asked for are there."""
    if junit is not None:
        _write(junit, _junit(answer))
    if dotenv is not None:
        _write(dotenv, _dotenv(answer))
    return answer


def _junit(answer: Answer) -> str:
    from rollback_manager.progress import RollbackOutcome
    from rollback_manager.rendering import junit

    told = answer.document.get("outcome")
    outcome = RollbackOutcome.model_validate(told) if told else None
    return junit.checks(str(answer.document.get("rollback", "")), outcome, answer.code)


def _dotenv(answer: Answer) -> str:
    """`NAME=value` lines; a value is one line of what can be seen, so that none adds another."""
    from rollback_manager.rendering.layout import clean
    from starters.ci.telling import outputs

    names = {"rollback_id": "ROLLBACK_ID", "outcome": "ROLLBACK_OUTCOME"}
    names |= {"report_url": "ROLLBACK_REPORT_URL", "exit_code": "ROLLBACK_EXIT_CODE"}
    values = outputs(answer.document, answer.code)
    return "".join(f"{names[name]}={clean(value)}\n" for name, value in values.items())


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror}",
            effect="The rollback is not touched by that.",
            next_step="Name a file that can be written",
        ) from error
