"""The one way in which anybody decides through the gateway: allowed? → signed → sent → answered."""

from enum import StrEnum

from rollback_manager.authority.people import Person
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    Answered,
    Decision,
    PauseCommand,
    StepCommand,
    Vote,
)
from rollback_manager.values import Value
from starters.gateway.doors import Doors


class Channel(StrEnum):
    """Where somebody decides."""

    WEB = "web"
    API = "api"
    SLACK = "slack"
    CI = "ci"


class Deciding(StrEnum):
    """What can be decided about a rollback."""

    APPROVE = "approve"
    REJECT = "reject"
    ABORT_HOLD = "abort_hold"
    ABORT_RESTORE = "abort_restore"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY_STEP = "retry_step"
    SKIP_STEP = "skip_step"


class Asked(Value):
    """One decision as it was asked for.

    id: the same id again gets the first answer. plan: the digest, for a vote. step, service: of the
    step that waits.
    """

    rollback: str
    deciding: Deciding
    id: str
    plan: str = ""
    nonce: str = ""
    reason: str = ""
    step: str = ""
    service: str = ""


async def decide(known: Doors, person: Person, channel: Channel, asked: Asked) -> Answered:
    """Carry the decision to the rollback; whether it was applied, or why it was ignored."""
    rollback = known.rollbacks.rollback(asked.rollback)
    by, reason = person.subject, asked.reason
    match asked.deciding:
        case Deciding.APPROVE | Deciding.REJECT:
            vote = Vote(plan=asked.plan, by=by, reason=reason, method=person.method)
            return await rollback.vote(Decision(asked.deciding), vote, vote_id=asked.id)
        case Deciding.ABORT_HOLD | Deciding.ABORT_RESTORE:
            mode = AbortMode(asked.deciding.removeprefix("abort_"))
            await rollback.abort(AbortCommand(mode=mode, by=by, reason=reason))
            return Answered(applied=True, because="it stops at the next safe point")
        case Deciding.PAUSE:
            await rollback.pause(PauseCommand(by=by, reason=reason))
            return Answered(applied=True, because="it waits after the action under way")
        case Deciding.RESUME:
            await rollback.resume(PauseCommand(by=by, reason=reason))
            return Answered(applied=True, because="it goes on")
        case Deciding.RETRY_STEP | Deciding.SKIP_STEP:
            command = StepCommand(step=asked.step, by=by, reason=reason)
            return await rollback.step(str(asked.deciding), asked.service, command)
