"""A history in plain words: all that a report may know."""

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pydantic import ValidationError

from rollback_manager.values import Value

T = TypeVar("T", bound=Value)


class Kind(StrEnum):
    """What an entry of the history says."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    CANCEL_REQUESTED = "cancel_requested"
    ACTIVITY_SCHEDULED = "activity_scheduled"
    ACTIVITY_STARTED = "activity_started"
    ACTIVITY_DONE = "activity_done"
    ACTIVITY_FAILED = "activity_failed"
    ACTIVITY_TIMED_OUT = "activity_timed_out"
    ACTIVITY_CANCELLED = "activity_cancelled"
    LOCAL_ACTIVITY = "local_activity"
    SIGNAL = "signal"
    UPDATE_ACCEPTED = "update_accepted"
    UPDATE_ANSWERED = "update_answered"
    TIMER_STARTED = "timer_started"
    TIMER_FIRED = "timer_fired"
    TIMER_CANCELLED = "timer_cancelled"
    CHILD_STARTED = "child_started"
    CHILD_DONE = "child_done"
    CHILD_FAILED = "child_failed"


ENDS = {Kind.COMPLETED, Kind.FAILED, Kind.TIMED_OUT, Kind.CANCELLED, Kind.TERMINATED}
MESSAGES = {Kind.SIGNAL, Kind.UPDATE_ACCEPTED}


class Entry(Value):
    """One event of a history, in plain words.

    event: its number there. name: of the activity, message, timer or child. payload: JSON text.
    of: number of the event that began this one. identity: the worker, or the sender of a message
    (a workflow's id where a workflow sent it). because: how it failed, or the attempt before it.
    """

    at: datetime
    workflow: str
    run_id: str
    event: int
    kind: Kind
    name: str = ""
    payload: str = ""
    of: int = 0
    attempt: int = 1
    identity: str = ""
    because: str = ""

    @property
    def source(self) -> str:
        """Where this can be looked up: the workflow and the event's number."""
        return f"{self.workflow} #{self.event}"

    def says(self, model: type[T]) -> T | None:
        """The payload as what it should be; None if it is not (anybody may send a message)."""
        try:
            return model.model_validate_json(self.payload) if self.payload else None
        except ValidationError:
            return None
