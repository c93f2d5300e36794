"""Two views of a running rollback: a block that is redrawn, or lines in a log."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol, TextIO

from rich.live import Live

from rollback_manager.progress import RollbackStatus
from rollback_manager.rendering import terminal_status
from rollback_manager.rendering.layout import page
from starters.ci.github import command
from starters.ci.job import this_job
from starters.console import say
from starters.terminal import StateWords, console

HEARTBEAT_S = 30.0
"""A CI log must not look dead; jobs that are silent for minutes get killed."""


class View(Protocol):
    """Something that shows how it stands."""

    def see(self, status: RollbackStatus) -> None:
        """Show what is known now."""

    def trouble(self, because: str) -> None:
        """Say that nobody answers; the rollback itself is not touched by that."""


@contextmanager
def view_of(stream: TextIO) -> Iterator[View]:
    """The view that fits the stream."""
    if not stream.isatty():
        with _folded(stream):
            yield LogView()
        return
    with Live(console=console(stream), refresh_per_second=4) as live:
        yield LiveView(live)


@contextmanager
def _folded(stream: TextIO) -> Iterator[None]:
    """On GitHub the lines of a log are a group, which folds once its job has ended."""
    job = this_job()
    if job is None or not job.is_github:
        yield
        return
    print(command("group", "the rollback, line by line"), file=stream, flush=True)
    try:
        yield
    finally:
        print(command("endgroup"), file=stream, flush=True)


class LiveView:
    """The block of now, in place of the one before."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def see(self, status: RollbackStatus) -> None:
        """Redraw."""
        self._draw(terminal_status.status(status, datetime.now(UTC)))

    def trouble(self, because: str) -> None:
        """Say that the block would be old."""
        self._draw(page([f"no answer: {because}", "What was started goes on without us."]))

    def _draw(self, block: str) -> None:
        self._live.update(StateWords()(block))


class LogView:
    """One line for each change, and a sign of life while there is none."""

    def __init__(self) -> None:
        self._last: RollbackStatus | None = None
        self._trouble = ""
        self._spoke_at = datetime.now(UTC)

    def see(self, status: RollbackStatus) -> None:
        """Print what is new."""
        now = datetime.now(UTC)
        lines = terminal_status.changes(self._last, status, now)
        self._last, self._trouble = status, ""
        self._say(lines, now)

    def trouble(self, because: str) -> None:
        """Print a trouble once, then signs of life only."""
        now = datetime.now(UTC)
        new = because != self._trouble
        self._trouble = because
        self._say([page([f"{now:%H:%M:%SZ} no answer: {because}"])] if new else [], now)

    def _say(self, lines: list[str], now: datetime) -> None:
        if not lines and (now - self._spoke_at).total_seconds() >= HEARTBEAT_S:
            lines = [terminal_status.heartbeat(self._last, now)]
        for line in lines:
            say(line)
            self._spoke_at = now
