"""What happened, moment by moment, without names of people."""

from collections.abc import Iterable, Iterator

from rollback_manager.contract import Answered, Planned
from rollback_manager.plan import ActionKind, short
from rollback_manager.progress import ServiceOutcome, ServiceReport, StepRecord
from rollback_manager.report import after
from rollback_manager.report.contents import Moment, ServicePart
from rollback_manager.report.entries import Entry, Kind
from rollback_manager.report.evidence import Evidence
from rollback_manager.report.steps import there_already
from rollback_manager.report.votes import COMMANDS, VOTES, in_words

SHORT = {
    "claim": "the service was claimed",
    "observe": "the world was read",
    "close_service": "the outcome was recorded, the claim given back",
    "conclude": "the gates were judged",
}


def moments(evidence: Evidence, services: Iterable[ServicePart]) -> list[Moment]:
    """Both timelines in one: events, writes inside steps, and the evidence's turning point."""
    found = [
        Moment(at=entry.at, source=entry.source, text=text)
        for entry in evidence.entries
        if (text := _text(entry, evidence))
    ]
    for part in services:
        found += [*_writes(part), *_turning_point(part, evidence)]
    return sorted(found, key=lambda moment: moment.at)


def _writes(part: ServicePart) -> Iterator[Moment]:
    for record in part.records:
        if record.first_write_at is not None:
            source = f"record of {record.kind}, {part.plan.service}"
            text = f"written: {record.written}"
            yield Moment(at=record.first_write_at, source=source, text=text)


def _turning_point(part: ServicePart, evidence: Evidence) -> Iterator[Moment]:
    if part.worse_at is not None:
        text = f"first second in which {part.plan.from_version} failed more than is normal"
        source = f"evidence in {evidence.parent[0].source}"
        yield Moment(at=part.worse_at, source=source, text=text)


def _text(entry: Entry, evidence: Evidence) -> str:
    """An entry in words; "" for what only moves the work along."""
    if (later := after.text(entry)) is not None:
        return later
    return (
        _workflow(entry, evidence)
        or _message(entry, evidence)
        or _activity(entry, evidence)
        or _child(entry)
    )


def _workflow(entry: Entry, evidence: Evidence) -> str:
    match entry.kind:
        case Kind.STARTED if entry.workflow == evidence.id:
            reason = evidence.request.reason
            return f"the requester asked for a rollback{': ' + reason if reason else ''}"
        case Kind.COMPLETED if entry.workflow == evidence.id:
            return f"ended: {evidence.outcome.result if evidence.outcome else 'unknown'}"
        case Kind.FAILED | Kind.TIMED_OUT | Kind.CANCELLED | Kind.TERMINATED:
            return f"{entry.workflow} {entry.kind}{_because(entry)}"
        case Kind.TIMER_FIRED if entry.name:
            return f"time is up: {entry.name}"
        case _:
            return ""


def _message(entry: Entry, evidence: Evidence) -> str:
    passed_on = entry.identity == evidence.id
    match entry.kind:
        case Kind.SIGNAL if entry.name == "service_reports":
            report = entry.says(ServiceReport)
            if report is None or (report.steps and not report.waits_for):
                return ""  # what it has reached stands in its own history
            return f"{report.service} waits: {report.waits_for or 'no longer'}"
        case Kind.SIGNAL if passed_on:
            return "the service may go" if entry.name == "go" else ""
        case Kind.SIGNAL | Kind.UPDATE_ACCEPTED if not passed_on:
            return {**COMMANDS, **VOTES}.get(entry.name, f"message {entry.name}")
        case Kind.UPDATE_ANSWERED:
            answer = entry.says(Answered)
            refused = f"refused{_because(entry)}"
            told = in_words(answer.applied, answer.because) if answer else refused
            return f"{entry.name} answered: {told}"
        case Kind.CANCEL_REQUESTED if not passed_on:
            return f"cancellation was asked for{_because(entry)}"
        case _:
            return ""


def _activity(entry: Entry, evidence: Evidence) -> str:
    match entry.kind:
        case Kind.LOCAL_ACTIVITY if entry.because:
            return f"{entry.name} failed: {entry.because}"
        case Kind.LOCAL_ACTIVITY | Kind.ACTIVITY_DONE if entry.name not in set(ActionKind):
            return _short_work(entry, evidence)
        case Kind.ACTIVITY_STARTED if entry.attempt > 1:
            before = entry.because or "unknown"
            return f"{entry.name}: attempt {entry.attempt} began; the one before ended: {before}"
        case Kind.ACTIVITY_STARTED:
            return f"{entry.name} began"
        case Kind.ACTIVITY_DONE:
            record = entry.says(StepRecord)
            return f"{entry.name} {record.state}: {record.observed}" if record else entry.name
        case Kind.ACTIVITY_FAILED | Kind.ACTIVITY_TIMED_OUT | Kind.ACTIVITY_CANCELLED:
            return f"{entry.name} {entry.kind.removeprefix('activity_')}{_because(entry)}"
        case _:
            return ""


def _short_work(entry: Entry, evidence: Evidence) -> str:
    planned = entry.says(Planned) if entry.name == "plan_rollback" else None
    if planned is None:
        there = there_already(entry)
        return f"capacity is there already: {there}" if there else SHORT.get(entry.name, entry.name)
    if planned.plan is None:
        return f"there can be no plan: {planned.blocked_because or planned.error or 'unknown'}"
    return f"the plan was made: {short(evidence.digest)}"


def _child(entry: Entry) -> str:
    match entry.kind:
        case Kind.CHILD_STARTED:
            return f"{entry.name} began: it holds the lock"
        case Kind.CHILD_DONE:
            outcome = entry.says(ServiceOutcome)
            return f"{entry.name} ended: {outcome.end if outcome else 'unknown'}"
        case Kind.CHILD_FAILED:
            return f"{entry.name} ended without a result{_because(entry)}"
        case _:
            return ""


def _because(entry: Entry) -> str:
    return f": {entry.because}" if entry.because else ""
