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
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.incident_status import IncidentVerdict
from rollback_manager.values import Value
from starters.gateway.doors import Doors
from starters.gateway.pace import Kind


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


class _Known(Value):
    """What must be the same for a decision to be the same."""

    by: str
    channel: Channel
    asked: Asked


async def decide(known: Doors, person: Person, channel: Channel, asked: Asked) -> Answered:
    """Carry the decision to the rollback; whether it was applied, or why it was ignored.

    Raises Refused: 409 where another one was made under the same id, 429 where this person decides
    too often.
    """
    known.pace.allow(person.subject, Kind.DECISION)
    same = _Known(by=person.subject, channel=channel, asked=asked)
    key = f"{asked.rollback}/{asked.id}"
    return await known.answers.once(key, same, lambda: _sent(known, person, asked))


async def decide_incident(
    known: Doors, person: Person, release: tuple[str, str, str], word: Action, reason: str
) -> Answered:
    """Carry a person's word to the incident of that release: environment, service, version."""
    known.pace.allow(person.subject, Kind.DECISION)
    verdict = IncidentVerdict(action=word, by=person.subject, reason=reason)
    return await known.rollbacks.incidents.decide(*release, verdict)


async def _sent(known: Doors, person: Person, asked: Asked) -> Answered:
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
