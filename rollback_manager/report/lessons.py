"""What a report teaches: near misses, what took longer than planned, what was missing.

Only what the history shows. A lesson that a person must think of is not in here.
"""

from collections.abc import Iterator

from rollback_manager.gates import GateAnswer, GateResult
from rollback_manager.progress import StepState
from rollback_manager.report.contents import Report, ServicePart, StepLine
from rollback_manager.values import Seconds, Value

REFUSED = "the guard forbids it"
"""How a refusal begins (activities/reconciler.py)."""
HALTS = {StepState.FAILED, StepState.INCONCLUSIVE}
"""After these a step waits for a person (workflows/service_rollback.py)."""
TO_DO = {
    "backup_verification": "Show that a backup can be restored.",
    "rollback_procedure_tested": "Rehearse it.",
    "impact_assessment": "Verify good releases with a baseline; send evidence with the request.",
    "communication": "Tell by hand whoever must know.",
    "health_monitoring": "Find out why; until then watch readiness by hand.",
    "business_metrics": "Look at the business's own figures by hand.",
    "data_integrity": "Check by hand that the data are whole.",
    "user_impact": "Find out why; until then read the front door by hand.",
}
ELSE_TO_DO = "Answer it by hand."
"""For what a gate could not say; a gate that failed asks why."""


class NearMiss(Value):
    """What went well though it might not have."""

    service: str
    step: str
    what: str


class Slower(Value):
    """What took longer than planned; source: of the planned time."""

    what: str
    took_s: Seconds
    planned_s: Seconds
    source: str


class FollowUp(Value):
    """What nobody could say, where that is seen, and what would change it."""

    missing: str
    seen_in: str
    to_do: str


class Lessons(Value):
    """guard_refusals: writes that would have done harm. halts: steps that asked for a person."""

    guard_refusals: int
    halts: int
    near_misses: tuple[NearMiss, ...]
    slower: tuple[Slower, ...]
    follow_ups: tuple[FollowUp, ...]


def lessons(r: Report) -> Lessons:
    """Those of one rollback, of one that still runs so far."""
    steps = [step for part in r.services for step in part.steps]
    return Lessons(
        guard_refusals=sum(step.because.startswith(REFUSED) for step in steps),
        halts=sum(step.state in HALTS for step in steps),
        near_misses=tuple(miss for part in r.services for miss in _near_misses(part)),
        slower=(*_later_than_estimated(r), *_over_time(r)),
        follow_ups=(*_unanswered(r), *_unseen(r)),
    )


def _near_misses(part: ServicePart) -> Iterator[NearMiss]:
    service = part.plan.service
    for step in part.steps:
        yield from (NearMiss(service=service, step=step.name, what=w) for w in _missed_by(step))
    if part.lowest_ready == part.plan.floor:
        what = f"no instance to spare: lowest ready {part.lowest_ready} is the floor"
        yield NearMiss(service=service, step="all", what=what)


def _missed_by(step: StepLine) -> Iterator[str]:
    if step.state in HALTS:
        yield f"halted: {step.because or step.state}"
    if step.attempts is not None and step.attempts > 1:
        yield f"attempt {step.attempts}; the one before ended: {step.earlier or 'unknown'}"


def _later_than_estimated(r: Report) -> Iterator[Slower]:
    if r.plan is None:
        return
    planned = r.plan.estimate
    for what, took_s, planned_s in (
        ("decision → traffic back", r.traffic_back_s, planned.traffic_back_s),
        ("decision → verified", r.verified_s, planned.verified_s),
    ):
        if took_s is not None and took_s > planned_s:
            yield Slower(what=what, took_s=took_s, planned_s=planned_s, source=planned.source)


def _over_time(r: Report) -> Iterator[Slower]:
    for part in r.services:
        for step in part.steps:
            took_s, planned_s = step.seconds, step.timeout_s
            if took_s is not None and planned_s is not None and took_s > planned_s:
                what = f"{part.plan.service}: {step.name}"
                yield Slower(what=what, took_s=took_s, planned_s=planned_s, source="its time-out")


def _unanswered(r: Report) -> Iterator[FollowUp]:
    for gate in r.gates:
        if gate.answer is not GateAnswer.PASSED and not _touches_no_data(gate):
            why = gate.answer is GateAnswer.FAILED
            yield FollowUp(
                missing=f"{_since_when(r, gate)}{gate.because}",
                seen_in=f"{gate.gate}, {gate.answer.replace('_', ' ')}",
                to_do="Find out why." if why else TO_DO.get(gate.gate, ELSE_TO_DO),
            )


def _touches_no_data(gate: GateResult) -> bool:
    """The one gate that may say for good that it does not apply."""
    return gate.gate == "backup_verification" and gate.answer is GateAnswer.NOT_APPLICABLE


def _since_when(r: Report, gate: GateResult) -> str:
    if gate.gate != "rollback_procedure_tested" or not r.services:
        return ""
    days = max(part.plan.policy.rehearsed_within_days for part in r.services)
    return f"no rehearsal within {days} days: "


def _unseen(r: Report) -> Iterator[FollowUp]:
    """What the picture and the numbers lack."""
    if r.unread:
        yield FollowUp(
            missing=f"failed answers of ours were not counted during {', '.join(r.unread)}",
            seen_in="steps",
            to_do=TO_DO["user_impact"],
        )
    if not r.request.evidence:
        yield FollowUp(
            missing="no evidence came with the request: how long users had errors is unknown",
            seen_in="request",
            to_do="Send it: what users got, second by second.",
        )
    elif r.impact is not None and r.impact.at_least:
        yield FollowUp(
            missing="the evidence begins inside the impact, so its length is a lower bound",
            seen_in="evidence",
            to_do="Send it from before the release on.",
        )
