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


CatalogueFile = Annotated[
    Path | None, typer.Option("--catalogue", help="Catalogue file (ROLLBACK_CATALOGUE)")
]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of what must survive (ROLLBACK_DATA)")
]
RecordsUrl = Annotated[
    str | None, typer.Option("--records", help="SQLAlchemy URL of the records (ROLLBACK_RECORDS)")
]
Queue = Annotated[str | None, typer.Option("--task-queue", help="Queue (ROLLBACK_TASK_QUEUE)")]
LogJson = Annotated[bool | None, typer.Option(help="Logs as JSON")]
BuildId = Annotated[
    str | None,
    typer.Option(
        "--build-id",
        help="Build of this worker, such as a commit (ROLLBACK_BUILD_ID): rollbacks end on the"
        " build they began on. It gets none before a person makes it the current one",
    ),
]


def run(about: str, work: Work) -> NoReturn:
    """Read the options and run `work`, of no build; ends the process with its exit code."""

    def command(
        catalogue: CatalogueFile = None,
        data: DataFolder = None,
        records: RecordsUrl = None,
        task_queue: Queue = None,
        log_json: LogJson = None,
    ) -> None:
        _run(
            of_no_build(work),
            catalogue=catalogue,
            data=data,
            records=records,
            task_queue=task_queue,
            log_json=log_json,
        )

    command.__doc__ = about
    console.main(console.single(command))


def run_build(about: str, work: Work) -> NoReturn:
    """As `run`, and the worker may be of a build."""

    def command(
        catalogue: CatalogueFile = None,
        data: DataFolder = None,
        records: RecordsUrl = None,
        task_queue: Queue = None,
        log_json: LogJson = None,
        build_id: BuildId = None,
    ) -> None:
        _run(
            work,
            catalogue=catalogue,
            data=data,
            records=records,
            task_queue=task_queue,
            log_json=log_json,
            build_id=build_id,
        )

    command.__doc__ = about
    console.main(console.single(command))


def of_no_build(work: Work) -> Work:
    """A build that nobody makes the current one would stand still, and here it would be all."""

    async def unversioned(settings: Settings) -> None:
        if settings.build_id:
            say("ROLLBACK_BUILD_ID counts for rollback-manager worker alone: this one has no build")
        await work(settings.model_copy(update={"build_id": ""}))

    return unversioned


def _run(work: Work, **options: object) -> None:
    """TERM and Ctrl-C are how it is meant to end, hence 0 and not 130: what was asked was done."""

    async def to_its_end() -> Answer:
        settings = load(**options)
        set_up_logs(settings.log_json)
        await _complete(work, settings)
        return Answer("")

    console.run(to_its_end, as_json=False, talks=False)


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


def leave(error: PermanentError) -> NoReturn:
    """Say why, and end the process at once, whatever still waits in it."""
    say(refusals.told(error))
    end(refusals.EXIT_CODES.get(refusals.kind(error), refusals.EXIT_CODES[Blocked.__name__]))


def end(code: int) -> NoReturn:
    """Flush and leave at once: CPython 3.11 with Temporal's core can abort while it tidies up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
