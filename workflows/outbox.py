"""What a child has not been told yet: kept in its order, sent when it can hear it."""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ChildWorkflowHandle

from workflows.control import Control

with workflow.unsafe.imports_passed_through():
    from rollback_manager.contract import AbortCommand, AbortMode
    from rollback_manager.values import Value

PAUSES = ("pause", "resume")
USED_UP = "SignalCountLimitExceeded"
"""Type of the error where a child was sent as many signals as Temporal allows."""


class Outbox:
    """Signals for one child. A native cancel of its parent goes to it as a hold, once."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._kept: list[tuple[str, Value]] = []
        self.word = ""
        """By which the child knows that this one sends it; empty where nothing must be proven."""
        self._cancel_passed_on = False

    def keep(self, name: str, command: Value) -> None:
        """`send` sends it."""
        if name in PAUSES:  # only the last one matters: a flood of them must not fill the history
            self._kept = [kept for kept in self._kept if kept[0] not in PAUSES]
        self._kept.append((name, command))

    def is_full(self) -> bool:
        """Whether somebody has said something, a native cancel included, that it does not know."""
        cancelled = workflow.cancellation_reason() is not None and not self._cancel_passed_on
        return bool(self._kept) or cancelled

    async def send(self, child: ChildWorkflowHandle[Any, Any]) -> None:
        """Everything that was kept, in its order; a child that has ended has no use for it."""
        reason = workflow.cancellation_reason()
        if reason is not None and not self._cancel_passed_on:
            self._cancel_passed_on = True
            hold = AbortCommand(mode=AbortMode.HOLD, by="temporal-cancel", reason=reason)
            self._kept.append(("abort", hold))
        while self._kept:  # emptied in any case: what is kept wakes the parent up
            name, command = self._kept.pop(0)
            await self.signal(child, name, [self._stamped(command)])

    def _stamped(self, command: Value) -> Value:
        return command.model_copy(update={"word": self.word}) if self.word else command

    async def signal(
        self, child: ChildWorkflowHandle[Any, Any], name: str, arguments: Sequence[Value | str]
    ) -> None:
        """One signal at once; a child that has ended needs none.

        To one that was sent as many signals as Temporal allows, an abort goes as a cancel: a hold.
        """
        if child.done():
            return
        try:
            await self._control.to_the_end(child.signal(name, args=arguments))
        except ApplicationError as error:
            if error.type != USED_UP:
                workflow.logger.info("the child had ended already", extra={"signal": name})
                return
            workflow.logger.error("the child takes no further signal", extra={"signal": name})
            if name == "abort" and workflow.patched("a hold by cancel"):
                await self._cancel(child.id)

    async def _cancel(self, child: str) -> None:
        try:
            cancelling = workflow.get_external_workflow_handle(child).cancel()
            await self._control.to_the_end(cancelling)
        except ApplicationError:
            workflow.logger.info("the child had ended already", extra={"signal": "cancel"})
