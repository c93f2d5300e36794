"""The one table of timeouts and retry policies, by kind of action.

Timeouts nest: a target's own (2 s connect, 5 s read) < heartbeat < start-to-close <
schedule-to-close (reliability R16). Retries are bounded by time, never by attempts: an outage of
Envoy for a minute must not end a rollback.
"""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from rollback_manager.plan import Action, ActionKind
from rollback_manager.policy import TimeoutPolicy

RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=0.2),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=10),
)

GRACE = timedelta(seconds=15)
"""From an action's own time-out to Temporal's: the activity itself says what was missing."""

ATTEMPTS_WORTH = 3
"""Budget over all attempts, as a multiple of one attempt's time-out."""


class StepOptions(TypedDict):
    """Keywords of `workflow.execute_activity` for one step."""

    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


MAY_BE_CUT = {
    ActionKind.RESTORE_CONFIGURATION: False,
    ActionKind.HOLD_OWNER: False,
    ActionKind.PREPARE: True,
    ActionKind.REDIRECT_TRAFFIC: False,
    ActionKind.CHECK_SLICE: True,
    ActionKind.STOP_BATCH: False,
    ActionKind.DRAIN: True,
    ActionKind.VERIFY: True,
    ActionKind.CLEAN_UP: False,
}
"""Whether an abort reaches into the action. A shift and a removal always run to their end."""


def step_options(action: Action, timeouts: TimeoutPolicy) -> StepOptions:
    """The row of the table for this action."""
    one = timedelta(seconds=action.timeout_s) + GRACE
    return {
        "start_to_close_timeout": one,
        "schedule_to_close_timeout": one * ATTEMPTS_WORTH,
        "heartbeat_timeout": timedelta(seconds=timeouts.heartbeat_s),
        "retry_policy": RETRY,
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


A_MINUTE = timedelta(minutes=1)
"""Patience for a read: then the answer is that it cannot be read."""

A_DAY = timedelta(days=1)
"""Patience for the records: no write without a claim, no end without its record."""
