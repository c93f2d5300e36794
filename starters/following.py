"""Following one rollback to its end: redrawn on a terminal, line by line in a log."""

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from rollback_manager.errors import NotFound, RollbackError, Unreachable
from rollback_manager.progress import RollbackOutcome, RollbackStatus, State, exit_code
from rollback_manager.rendering import terminal
from rollback_manager.rendering.layout import command, page
from rollback_manager.rendering.words import state_of
from starters.console import Answer
from starters.refusals import GOING_ON, INTERRUPTED, what
from starters.views import View, view_of

EVERY_S = 0.5
"""Twice a second: a person sees it move, and a worker answers two queries of a millisecond."""
GLANCE_S = 3.0
"""How long a command may look for the effect of what it did (a click is answered within 3 s)."""


class Running(Protocol):
    """What following needs of a rollback; `client.Rollback` has it."""

    @property
    def id(self) -> str:
        """rollback/ENV/KEY."""

    async def status(self) -> RollbackStatus:
        """Where it is now."""

    async def result(self) -> RollbackOutcome:
        """How it ended; waits for the end."""


async def until_left(rollback: Running, timeout_s: float | None) -> Answer:
    """Follow it; the first Ctrl-C, which `asyncio.run` turns into a cancel, only leaves it."""
    try:
        return await follow(rollback, timeout_s)
    except asyncio.CancelledError:
        return going_on(rollback.id, "left by Ctrl-C", code=INTERRUPTED)


async def follow(rollback: Running, timeout_s: float | None) -> Answer:
    """Follow it until it ends or `timeout_s` have passed."""
    try:
        with view_of(sys.stderr) as view:
            async with asyncio.timeout(timeout_s):
                ended = await _to_its_end(rollback, view)
    except TimeoutError:
        return going_on(rollback.id, f"not ended after {timeout_s:g} s")
    return answer_of(ended)


async def glance(rollback: Running) -> Answer:
    """How it stands right now; the end, if it has ended."""
    try:
        async with asyncio.timeout(GLANCE_S):
            status = await rollback.status()
    except (TimeoutError, Unreachable):
        return going_on(rollback.id, "stored; no worker has answered yet")
    if status.outcome is not None:
        return answer_of(status.outcome)
    return going_on(rollback.id, "started")


async def seen_within(rollback: Running, took: Callable[[State], bool]) -> RollbackStatus | None:
    """The first status in which it took effect; None when there was none in three seconds."""
    try:
        async with asyncio.timeout(GLANCE_S):
            while not took(state_of(status := await rollback.status())):  # noqa: ASYNC110 -- the event is far away
                await asyncio.sleep(EVERY_S / 2)
    except (TimeoutError, RollbackError):
        return None
    return status


def answer_of(ended: RollbackOutcome) -> Answer:
    """How it ended, and the code for it."""
    document = {
        "security": ended.security,
        "rollback": ended.rollback,
        "outcome": ended.model_dump(mode="json"),
    }
    return Answer(terminal.outcome(ended), document, exit_code(ended))


def going_on(rollback: str, because: str, code: int = GOING_ON) -> Answer:
    """Nobody follows it any more; it continues."""
    lines = [
        f"{rollback}: {because}. The rollback continues.",
        *command("follow: ", f"rollback-manager watch {rollback}"),
        *command("stop:   ", f"rollback-manager abort {rollback}"),
        "        (with --restore: and put back what was there before)",
    ]
    document = {"rollback": rollback, "outcome": None, "because": because}
    return Answer(page(lines), document, code)


async def _to_its_end(rollback: Running, view: View) -> RollbackOutcome:
    """Ask again and again, while Temporal itself says when it has ended."""
    end = asyncio.ensure_future(rollback.result())
    try:
        while True:
            await _look(rollback, view)
            await asyncio.wait({end}, timeout=EVERY_S)
            if end.done() and isinstance(end.exception(), Unreachable):
                await asyncio.sleep(EVERY_S)
                end = asyncio.ensure_future(rollback.result())
            elif end.done():
                break
        await _look(rollback, view)
        return end.result()
    finally:
        end.cancel()
        await asyncio.gather(end, return_exceptions=True)


async def _look(rollback: Running, view: View) -> None:
    try:
        view.see(await rollback.status())
    except NotFound:
        raise
    except RollbackError as error:  # a worker that is away comes back; the end is known without it
        view.trouble(what(error))
