"""Makes our errors Temporal's, here alone. Temporal matches names, not base classes.

And keeps what people send from failing a workflow task, which Temporal would retry for ever.
"""

from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.exceptions import ApplicationErrorCategory as Category
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from rollback_manager.errors import (
    HandedOver,
    NotYet,
    PermanentError,
    RollbackError,
    TemporaryError,
)

LONGEST = 300
"""Characters of a message that history keeps: foreign texts can be long, and are not ours."""


class Failures(Interceptor):
    """Wraps every activity so that its errors say whether trying again helps."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """One wrapper per activity worker."""
        return _Failures(next)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """One wrapper per workflow."""
        return _OneArgument


class _Failures(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except RollbackError as error:
            raise as_application_error(error, activity.info().attempt) from error


class _OneArgument(WorkflowInboundInterceptor):
    """Our signals take one argument; more of them would not fit the handler, and wedge it."""

    async def handle_signal(self, input: HandleSignalInput) -> None:
        input.args = input.args[:1]
        await super().handle_signal(input)


def as_application_error(error: RollbackError, *attempt: int) -> ApplicationError:
    """Permanent ones are not retried; temporary ones say when to try again.

    attempt: which one it was; a write of an earlier one may still be under way.
    """
    kind, what = type(error).__name__, error.what[:LONGEST]
    details = error.effect[:LONGEST], error.next_step[:LONGEST], *attempt
    match error:
        case TemporaryError(retry_after_s=seconds):
            harmless = isinstance(error, HandedOver | NotYet)  # nothing that anybody should read of
            return ApplicationError(
                what,
                *details,
                type=kind,
                next_retry_delay=timedelta(seconds=seconds),
                category=Category.BENIGN if harmless else Category.UNSPECIFIED,
            )
        case PermanentError() | _:
            return ApplicationError(what, *details, type=kind, non_retryable=True)
