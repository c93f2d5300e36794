"""Pause, hold, restore: flags that every wait is raced against. An action runs to its safe point.

A native cancel is delivered once, and is lost when it lands together with a child's completion
(sdk-python #620); so abort is our own signal, and each checkpoint reads `cancellation_reason()`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from rollback_manager.contract import AbortCommand, AbortMode

T = TypeVar("T")

ABORTED = "Aborted"
"""Type of the ApplicationError that ends a workflow's ordinary course."""


class Control:
    """What people asked for, and how a workflow waits without missing it."""

    def __init__(self) -> None:
        self.paused = False
        self.abort: AbortCommand | None = None

    def record(self, command: AbortCommand) -> None:
        """All that the abort signal does. The first one counts; a later hold stops a restore."""
        stops = command.mode is AbortMode.HOLD and self._restores()
        if self.abort is None or stops:
            self.abort = command

    def _restores(self) -> bool:
        return self.abort is not None and self.abort.mode is AbortMode.RESTORE

    def _adopt_native_cancel(self) -> None:
        reason = workflow.cancellation_reason()  # stays set even when the error was swallowed
        if reason is not None and self.abort is None:
            self.abort = AbortCommand(mode=AbortMode.HOLD, by="temporal-cancel", reason=reason)

    async def until(
        self,
        condition: Callable[[], bool],
        timeout: timedelta | None = None,  # noqa: ASYNC109 -- a durable timer
        summary: str = "",
    ) -> bool:
        """Wait for the condition or an abort. False: the time is over."""
        try:
            await workflow.wait_condition(
                lambda: self.abort is not None or condition(),
                timeout=timeout,
                timeout_summary=summary or None,
            )
        except asyncio.CancelledError:
            if workflow.cancellation_reason() is None:  # eviction, or a scope of ours
                raise
        except TimeoutError:
            return False
        self._adopt_native_cancel()
        return True

    async def checkpoint(self) -> None:
        """A safe point: waits while paused, raises ApplicationError `Aborted` once aborted."""
        self._adopt_native_cancel()
        if self.paused and self.abort is None:
            await self.until(lambda: not self.paused)
        if self.abort is not None:
            raise ApplicationError(f"aborted by {self.abort.by}", type=ABORTED, non_retryable=True)

    async def race(self, work: Awaitable[T]) -> T:
        """Work that may be told to stop early: it is, and answers what it saw until then.

        Raises ActivityError, cause CancelledError, when no worker had begun it.
        """
        self._adopt_native_cancel()  # it may have been delivered to a short read just before
        op = asyncio.ensure_future(work)
        stop = asyncio.create_task(workflow.wait_condition(lambda: self.abort is not None))
        try:
            await workflow.wait([op, stop], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._adopt_native_cancel()
        finally:
            stop.cancel()
        if not op.done():
            op.cancel(self.abort.reason if self.abort else "")
        return await op  # WAIT_CANCELLATION_COMPLETED: until it has safely stopped

    async def to_the_end(self, work: Awaitable[T]) -> T:
        """What must not be cut, a write or an undo, runs to its end whatever arrives meanwhile."""
        op = asyncio.ensure_future(work)
        while True:
            try:
                return await asyncio.shield(op)
            except asyncio.CancelledError:
                if op.cancelled() or workflow.cancellation_reason() is None:
                    raise  # not when it is done: a cancel in the same task must not lose its result
                self._adopt_native_cancel()


def is_abort(error: BaseException) -> bool:
    """Whether this error is a checkpoint's way of saying that somebody aborted."""
    return isinstance(error, ApplicationError) and error.type == ABORTED
