"""The edge of a worker's process: its options, its words on stderr, its exit code."""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rollback_manager.errors import Blocked, PermanentError
from starters import console, refusals
from starters.console import Answer
from workers.settings import Settings, load
from workers.telemetry import set_up_logs

Work = Callable[[Settings], Awaitable[None]]


def say(words: str) -> None:
    """One line for people, on stderr: stdout is for results."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201 -- the process's own voice


def run(about: str, work: Work) -> NoReturn:
    """Read the options and run `work`; ends the process with its exit code.

    TERM and Ctrl-C are how it is meant to end, hence 0 and not 130: what was asked for was done.
    """

    def command(
        catalogue: Annotated[
            Path | None, typer.Option(help="Catalogue file (ROLLBACK_CATALOGUE)")
        ] = None,
        data: Annotated[
            Path | None, typer.Option(help="Folder of what must survive (ROLLBACK_DATA)")
        ] = None,
        records: Annotated[
            str | None, typer.Option(help="SQLAlchemy URL of the records (ROLLBACK_RECORDS)")
        ] = None,
        task_queue: Annotated[str | None, typer.Option(help="Queue (ROLLBACK_TASK_QUEUE)")] = None,
        log_json: Annotated[bool | None, typer.Option(help="Logs as JSON")] = None,
    ) -> None:
        async def to_its_end() -> Answer:
            settings = load(
                catalogue=catalogue,
                data=data,
                records=records,
                task_queue=task_queue,
                log_json=log_json,
            )
            set_up_logs(settings.log_json)
            await _complete(work, settings)
            return Answer("")

        console.run(to_its_end, as_json=False, talks=False)

    command.__doc__ = about
    console.main(console.single(command))


async def _complete(work: Work, settings: Settings) -> None:
    """What stops a start for good is a precondition that does not hold, whoever found it."""
    try:
        await work(settings)
    except PermanentError as error:
        if refusals.kind(error) in refusals.EXIT_CODES:
            raise
        raise Blocked(
            error.what,
            effect=error.effect or "Nothing was started; production is unchanged.",
            next_step=error.next_step or "Mend what is named above, then start it again.",
        ) from error


def end(code: int) -> NoReturn:
    """Flush and leave at once: CPython 3.11 with Temporal's core can abort while it tidies up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
