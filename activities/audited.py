"""What the audit chain is told of an activity: before it changes anything, and when it is over.

Each event has the id of its activity, so that a second attempt tells the same thing.
"""

import hashlib
from collections.abc import Iterator

from activities.judgement import Conclusion, TreeConclusion
from activities.records import Closing
from activities.stays import Letting, StayQuestion
from activities.step import Step
from rollback_manager.audit import Event
from rollback_manager.contract import (
    AdoptRequest,
    ListReleases,
    Planned,
    ReleaseRequest,
    RollbackRequest,
)
from rollback_manager.plan import ActionKind
from rollback_manager.progress import DecisionRecord, RollbackOutcome, StepRecord
from rollback_manager.stays import Staying
from rollback_manager.values import Value

WORKER = "worker"
OURS = "rollback-manager"
"""In whose name a worker acts that carries out what was agreed to; decisions name people."""
READS = {ActionKind.DRAIN, ActionKind.VERIFY, ActionKind.CHECK_SLICE}
"""Steps that write nothing."""


class Told(Value):
    """Which activity tells it. id: the same for each attempt. workflow: type of who asked."""

    id: str
    name: str
    workflow: str
    workflow_id: str


def begun(told: Told, argument: object) -> Event | None:
    """What must stand in the chain before the activity may begin; None: it changes nothing."""
    match argument:
        case Step(action=action) if action.kind not in READS:
            outcome = f"begun: {argument.plan.service}, {argument.mark}"
            return _event(told, "begun", f"step.{action.kind}", argument.rollback, outcome)
        case Staying():
            return _after(told, argument)
        case Letting(staying=staying) | StayQuestion(staying=staying, releases=(_, *_)):
            return _after(told, staying)
        case ReleaseRequest(ask=ask) if not isinstance(ask, ListReleases):
            outcome = f"begun: {ask.version} {getattr(ask, 'standing', '')}".rstrip()
            subject = f"release/{ask.env}/{ask.service}/{ask.version}"
            return _event(told, "begun", f"release.{ask.verb}", subject, outcome, ask.by)
        case AdoptRequest(give_back=True, by=by, reason=reason):
            outcome = f"begun: {reason}"
            return _event(told, "begun", "give_back", told.workflow_id, outcome, by)
        case _:
            return None


def ended(told: Told, argument: object, answer: object) -> Iterator[Event]:
    """What happened, once it has."""
    match argument, answer:
        case Step(action=action), StepRecord() if action.kind not in READS:
            because = f": {answer.because}" if answer.because else ""
            outcome = f"{answer.state}: {argument.plan.service}{because}"
            made = _event(told, "ended", f"step.{action.kind}", argument.rollback, outcome)
            yield made.model_copy(update={"evidence_hash": _hash(answer)})
        case RollbackRequest(), Planned() if told.workflow == "RollbackWorkflow":
            yield _started(told, argument, answer)
        case Closing(outcome=outcome), _:
            words = f"{outcome.end}: {outcome.service}: {outcome.because}"
            yield _event(told, "ended", "service.close", argument.rollback, words)
        case Conclusion() | TreeConclusion(), RollbackOutcome():
            yield from _concluded(told, answer)
        case _:
            return


def _after(told: Told, staying: Staying) -> Event:
    """What is done once a rollback has ended: a hold given back, a version barred, a revert."""
    made = _event(told, "begun", told.name, staying.rollback, f"begun: {staying.service}")
    return made.model_copy(update={"plan_digest": staying.plan})


def _started(told: Told, request: RollbackRequest, planned: Planned) -> Event:
    digest = planned.plan.digest if planned.plan else planned.digest
    refusal = planned.blocked_because or planned.error
    outcome = f"refused: {refusal}" if refusal else f"planned: {', '.join(request.services)}"
    made = _event(told, "ended", "start", told.workflow_id, outcome, request.requested_by)
    return made.model_copy(update={"plan_digest": digest})


def _concluded(told: Told, outcome: RollbackOutcome) -> Iterator[Event]:
    for number, decision in enumerate(outcome.decisions):
        yield _decided(told, number, outcome, decision)
    made = _event(told, "ended", "end", outcome.rollback, f"{outcome.result}: {outcome.because}")
    facts = {"plan_digest": outcome.digest, "evidence_hash": _hash(outcome)}
    yield made.model_copy(update=facts)


def _decided(told: Told, number: int, outcome: RollbackOutcome, vote: DecisionRecord) -> Event:
    """As the workflow took it, whatever door it came through."""
    words = "counted" if vote.counted else "ignored"
    made = _event(
        told,
        f"decision-{number}",
        f"workflow.{vote.decision}",
        outcome.rollback,
        f"{words}: {vote.because}",
        f"{vote.by} ({vote.method})",
    )
    return made.model_copy(update={"plan_digest": outcome.digest, "ts_source": vote.at})


def _event(
    told: Told, moment: str, action: str, object: str, outcome: str, subject: str = OURS
) -> Event:
    return Event(
        event_id=f"{told.id}/{moment}",
        actor=WORKER,
        subject=subject,
        action=action,
        object=object,
        outcome=outcome,
    )


def _hash(evidence: Value) -> str:
    """SHA-256 of what history keeps of it, so that the two can be held against each other."""
    return hashlib.sha256(evidence.model_dump_json().encode()).hexdigest()
