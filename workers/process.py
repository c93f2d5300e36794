"""The edge of a worker's process: its options, its words on stderr, its exit code."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rollback_manager.errors import RollbackError
from workers.settings import Settings, load
from workers.telemetry import set_up_logs

Work = Callable[[Settings], Awaitable[None]]


def say(words: str) -> None:
    """One line for people, on stderr: stdout is for results."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201 -- the process's own voice


def run(name: str, about: str, work: Work) -> NoReturn:
    """Read the options and run `work`; ends the process with its exit code."""

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
        settings = load(
            catalogue=catalogue,
            data=data,
            records=records,
            task_queue=task_queue,
            log_json=log_json,
        )
        set_up_logs(settings.log_json)
        asyncio.run(_complete(work, settings))

    app = typer.Typer(add_completion=False, help=about, pretty_exceptions_enable=False)
    app.command(name=name, help=about)(command)
    end(_exit_code(app))


async def _complete(work: Work, settings: Settings) -> None:
    await work(settings)


def _exit_code(app: typer.Typer) -> int:
    try:
        app(standalone_mode=False)
    except RollbackError as error:
        say(str(error))
        return 7
    except typer.Exit as end_of_it:
        return end_of_it.exit_code
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    return 0


def end(code: int) -> NoReturn:
    """Flush and leave at once: CPython 3.11 with Temporal's core can abort while it tidies up."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
