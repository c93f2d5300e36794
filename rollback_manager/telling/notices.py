"""The milestones of a rollback, derived from its status alone. Channels only carry them."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from rollback_manager.contract import Decision
from rollback_manager.plan import ActionKind, RollbackPlan
from rollback_manager.progress import (
    RollbackOutcome,
    RollbackStatus,
    ServiceStatus,
    State,
    StepState,
)
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from rollback_manager.values import Value

MOST = 100
"""Milestones told of one rollback: more would be no milestones, and fill its history."""
FEW = 3
"""Services that a line names; of more it says how many."""


class Milestone(StrEnum):
    """What people are told of, beside the one message that always says how it stands."""

    ASKED = "asked"
    APPROVED = "approved"
    REJECTED = "rejected"
    REMINDED = "reminded"
    ESCALATED = "escalated"
    STARTED = "started"
    SHARE = "share"
    VERDICT = "verdict"
    NEEDS_PERSON = "needs_person"
    DONE = "done"
    DID_NOT_STAY = "did_not_stay"
    BREAK_GLASS = "break_glass"


LOUD = frozenset(
    {
        Milestone.ESCALATED,
        Milestone.NEEDS_PERSON,
        Milestone.DID_NOT_STAY,
        Milestone.BREAK_GLASS,
    }
)
"""A person must look now."""


class Notice(Value):
    """One milestone in one line. key: tells it from every other one of its rollback."""

    milestone: Milestone
    key: str
    text: str
    at: datetime | None = None


def notices(status: RollbackStatus, plan: RollbackPlan | None) -> tuple[Notice, ...]:
    """All milestones that the rollback has reached, in their order; at most MOST.

    What waits for a person is among them only while it does: whoever tells remembers the keys.
    """
    found = [
        *_asked(status, plan),
        *_broken(status),
        *_votes(status),
        *_unanswered(status),
        *_started(status),
        *_steps(status),
        *_needs_person(status),
        *_done(status),
    ]
    return tuple(found[-MOST:])


def what(status: RollbackStatus) -> str:
    """The services with their versions, or how many there are."""
    moves = [f"{s.service} {s.from_version} → {s.to_version}" for s in status.services]
    if len(moves) > FEW:
        return f"{len(moves)} services"
    return ", ".join(moves) or status.rollback


def _asked(status: RollbackStatus, plan: RollbackPlan | None) -> Iterator[Notice]:
    if plan is None:
        return
    rule = "a person must agree" if plan.approval.required else "no approval is asked"
    who = foreign(status.requested_by) or words.UNKNOWN
    text = f"asked for by {who}: {what(status)} in {status.env}; {rule}"
    yield Notice(milestone=Milestone.ASKED, key="asked", text=text, at=plan.made_at)


def _broken(status: RollbackStatus) -> Iterator[Notice]:
    """Nobody was asked: everybody is told, at once."""
    if status.break_glass:
        text = words.joined([words.broken(status.break_glass), foreign(status.reason)])
        yield Notice(milestone=Milestone.BREAK_GLASS, key="break_glass", text=text)


def _votes(status: RollbackStatus) -> Iterator[Notice]:
    """Those that counted; what was ignored is in the report."""
    counted = [record for record in status.decisions if record.counted]
    for number, record in enumerate(counted, start=1):
        approves = record.decision is Decision.APPROVE
        yield Notice(
            milestone=Milestone.APPROVED if approves else Milestone.REJECTED,
            key=f"vote/{number}",
            text=words.vote(record),
            at=record.at,
        )


def _unanswered(status: RollbackStatus) -> Iterator[Notice]:
    """Nobody has decided so far: those who were asked are reminded, then more are."""
    until = f"deadline {words.clock(status.deadline)}" if status.deadline else ""
    for number in range(1, min(status.reminded, FEW) + 1):
        text = words.joined([f"reminder {number}: still nobody has decided", until])
        yield Notice(milestone=Milestone.REMINDED, key=f"reminded/{number}", text=text)
    if status.escalated:
        text = words.joined(["escalated: nobody has decided in time", until])
        yield Notice(milestone=Milestone.ESCALATED, key="escalated", text=text)


NOT_BEGUN = frozenset({State.PLANNING, State.HELD, State.WAITING_FOR_APPROVAL})


def _started(status: RollbackStatus) -> Iterator[Notice]:
    if status.state in NOT_BEGUN or not _has_begun(status.outcome):
        return
    text = f"started: {what(status)} in {status.env}"
    yield Notice(milestone=Milestone.STARTED, key="started", text=text)


def _has_begun(outcome: RollbackOutcome | None) -> bool:
    return outcome is None or any(service.steps for service in outcome.services)


def _steps(status: RollbackStatus) -> Iterator[Notice]:
    """Each share that was reached and each verdict on the users, as services report them."""
    several = len(status.services) > 1
    for service in status.services:
        for number, notice in enumerate(_of_service(service)):
            named = f"{service.service}: {notice.text}" if several else notice.text
            key = f"{service.service}/{notice.key}/{number}"
            yield notice.model_copy(update={"text": named, "key": key})


def _of_service(service: ServiceStatus) -> Iterator[Notice]:
    for step in service.steps:
        at, said = step.finished_at, foreign(step.summary)
        if step.name == ActionKind.REDIRECT_TRAFFIC and step.state is StepState.DONE:
            text = f"traffic {foreign(step.target)}"
            yield Notice(milestone=Milestone.SHARE, key="share", text=text, at=at)
        elif step.name in VERDICTS and step.state in VERDICTS[step.name]:
            text = f"{step.name} {step.state}: {said or words.UNKNOWN}"
            yield Notice(milestone=Milestone.VERDICT, key="verdict", text=text, at=at)


VERDICTS = {
    str(ActionKind.VERIFY): {StepState.DONE, StepState.FAILED, StepState.INCONCLUSIVE},
    str(ActionKind.CHECK_SLICE): {StepState.FAILED, StepState.INCONCLUSIVE},
}
"""A slice that harms nobody is told by the next share."""


def reported(name: str, state: StepState) -> bool:
    """Whether a step that stands so is a milestone, which its service tells its rollback of."""
    shifted = name == ActionKind.REDIRECT_TRAFFIC and state is StepState.DONE
    return shifted or state in VERDICTS.get(name, ())


def _needs_person(status: RollbackStatus) -> Iterator[Notice]:
    if words.state_of(status) is State.NEEDS_HUMAN:
        waits = foreign(status.waits_for) or words.UNKNOWN
        text = f"needs a person: {waits}"
        yield Notice(milestone=Milestone.NEEDS_PERSON, key=f"needs/{waits}", text=text)


def _done(status: RollbackStatus) -> Iterator[Notice]:
    outcome = status.outcome
    if outcome is None:
        return
    text = words.joined([words.state(status), outcome.effect, foreign(outcome.because)])
    yield Notice(milestone=Milestone.DONE, key="done", text=text)
