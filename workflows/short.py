"""Short work: in the worker's own process first, as an ordinary activity where that does not do.

A local activity costs one event and no round trip. Its retries would keep the workflow task busy,
and with it every message and query; so it is tried once, and the server does the retrying.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    FailureError,
    TimeoutError,  # noqa: A004 -- Temporal's own
    is_cancelled_exception,
)

from workflows.options import RETRY

T = TypeVar("T")

FAILED = (ActivityError, ApplicationError, CancelledError, TimeoutError)
"""A local activity's own error arrives as it is, without the ActivityError around it. So does its
time-out, but only when it is replayed: the first time it is the cause of an ActivityError."""

ONCE = RetryPolicy(maximum_attempts=1)
AT_ONCE = timedelta(seconds=5)
"""Below the 10 s of a workflow task, so that the task itself is never held up."""
ATTEMPT = timedelta(seconds=20)


async def short(work: Callable[..., T], argument: Any, *, patience: timedelta, summary: str) -> T:
    """Do it now; if it fails for now, keep trying for as long as `patience`.

    `work` is a method of one of our activity classes. Raises one of FAILED when it fails for good.
    """
    try:
        result: T = await workflow.execute_local_activity_method(
            work, argument, start_to_close_timeout=AT_ONCE, retry_policy=ONCE, summary=summary
        )
    except FAILED as error:
        if is_cancelled_exception(error) or _for_good(error):
            raise
        result = await workflow.execute_activity_method(
            work,
            argument,
            start_to_close_timeout=ATTEMPT,
            schedule_to_close_timeout=patience,
            retry_policy=RETRY,
            summary=summary,
        )
    return result


def _for_good(error: FailureError) -> bool:
    cause = error.cause if isinstance(error, ActivityError) else error
    return isinstance(cause, ApplicationError) and cause.non_retryable
