"""When people are told again of a question that nobody has answered. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from rollback_manager.approval import Ballot

MOST_REMINDERS = 12
"""Of one question: whoever wants more of them has muted them by then."""


class CallKind(StrEnum):
    """Why people are told again while a question is open."""

    REMINDER = "reminder"
    ESCALATION = "escalation"


class Call(NamedTuple):
    """When they are told, and why."""

    at: datetime
    kind: CallKind


def next_call(ballot: Ballot) -> Call | None:
    """The next time that people are told before the deadline; None: not again."""
    quorum, calls = ballot.quorum, []
    if quorum.escalate_s and not ballot.escalated:
        calls.append(Call(_after(ballot, quorum.escalate_s), CallKind.ESCALATION))
    if quorum.remind_s and ballot.reminded < MOST_REMINDERS:
        due = _after(ballot, quorum.remind_s * (ballot.reminded + 1))
        calls.append(Call(due, CallKind.REMINDER))
    in_time = [call for call in calls if call.at < ballot.deadline]
    return min(in_time, key=lambda call: call.at, default=None)


def called(ballot: Ballot, call: Call) -> Ballot:
    """The ballot after people were told."""
    if call.kind is CallKind.ESCALATION:
        return ballot.model_copy(update={"escalated": True})
    return ballot.model_copy(update={"reminded": ballot.reminded + 1})


def _after(ballot: Ballot, seconds: float) -> datetime:
    return ballot.opened_at + timedelta(seconds=seconds)
