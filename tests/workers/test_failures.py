"""Our errors on their way through Temporal: what is tried again, when, and what history keeps."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory
from temporalio.worker import Worker

from rollback_manager.errors import (
    Blocked,
    CatalogueError,
    HandedOver,
    NotFound,
    PermanentError,
    RollbackError,
    StalePlan,
    StaleWrite,
    TemporaryError,
    Unreachable,
)
from workers.failures import LONGEST, Failures, as_application_error

NEVER_BY_ITSELF = timedelta(seconds=100)
"""The policy's own pause: whoever is tried again sooner was told so by the error."""


def test_an_attempt_that_ends_with_its_worker_is_tried_again_and_alarms_nobody() -> None:
    """Else each end of a worker is a traceback in its log."""
    ended = as_application_error(HandedOver("taken away", retry_after_s=0.1))
    assert (ended.non_retryable, ended.category) == (False, ApplicationErrorCategory.BENIGN)
    failed = as_application_error(TemporaryError("no answer"))
    assert failed.category is ApplicationErrorCategory.UNSPECIFIED


@pytest.mark.parametrize(
    "kind", [PermanentError, CatalogueError, Blocked, StalePlan, StaleWrite, NotFound]
)
def test_a_permanent_error_is_not_tried_again_and_keeps_its_name(
    kind: type[PermanentError],
) -> None:
    made = as_application_error(kind("it may not"))
    assert (made.type, made.non_retryable, made.message) == (kind.__name__, True, "it may not")


@pytest.mark.parametrize("kind", [TemporaryError, Unreachable])
def test_a_temporary_error_says_when_to_try_again(kind: type[TemporaryError]) -> None:
    made = as_application_error(kind("it is away", retry_after_s=2.5))
    assert (made.type, made.non_retryable) == (kind.__name__, False)
    assert made.next_retry_delay == timedelta(seconds=2.5)


def test_effect_and_next_step_travel_along() -> None:
    error = Blocked("no", effect="Nothing was touched.", next_step="Look at it.")
    assert as_application_error(error).details == ("Nothing was touched.", "Look at it.")


def test_history_keeps_no_long_text() -> None:
    made = as_application_error(Blocked("x" * 9000, effect="y" * 9000, next_step="z" * 9000))
    assert [len(part) for part in (made.message, *made.details)] == [LONGEST] * 3


class Flaky:
    """An activity that fails with each of `errors` in turn, then answers with its attempts."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)

    @activity.defn(name="flaky")
    def run(self) -> int:
        for error in self._errors:
            raise error
        return activity.info().attempt


@workflow.defn(sandboxed=False)
class Asks:
    @workflow.run
    async def run(self) -> int:
        attempts: int = await workflow.execute_activity(
            "flaky",
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=NEVER_BY_ITSELF),
        )
        return attempts


async def attempts(client: Client, *errors: Exception) -> int:
    queue = f"q-{uuid.uuid4().hex}"
    with ThreadPoolExecutor(1) as pool:
        async with Worker(
            client,
            task_queue=queue,
            workflows=[Asks],
            activities=[Flaky(*errors).run],
            activity_executor=pool,
            interceptors=[Failures()],
        ):
            return await client.execute_workflow(Asks.run, id=queue, task_queue=queue)


async def test_temporal_waits_as_long_as_a_temporary_error_says(client: Client) -> None:
    away = Unreachable("it is away", retry_after_s=0.05)
    assert await attempts(client, away, away) == 3


async def test_temporal_gives_up_at_once_on_a_permanent_error(client: Client) -> None:
    refusal = Blocked("it may not", effect="Nothing was touched.", next_step="Look at it.")
    with pytest.raises(WorkflowFailureError) as caught:
        await attempts(client, refusal)
    failed = caught.value.cause
    assert isinstance(failed, ActivityError)
    told = failed.cause
    assert isinstance(told, ApplicationError)
    assert (told.type, told.message) == ("Blocked", "it may not")
    assert list(told.details) == ["Nothing was touched.", "Look at it.", 1]


def test_an_error_of_the_tree_that_is_neither_is_not_tried_again() -> None:
    assert as_application_error(RollbackError("odd")).non_retryable
