"""What one rollback did and why, made from its history alone, never from memory.

The same entries give the same report, byte for byte. None and "" mean: the history does not say.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

from rollback_manager import contract
from rollback_manager.contract import Answered, Planned, RollbackRequest
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.gates import GateResult, Group
from rollback_manager.plan import Action, ActionKind, RollbackPlan, ServicePlan, short
from rollback_manager.progress import (
    EndState,
    RollbackOutcome,
    Sample,
    ServiceOutcome,
    StepRecord,
    StepState,
)
from rollback_manager.values import Seconds, Value
from rollback_manager.verification import error_limit, wilson

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


class Moment(Value):
    """One line of a timeline. People appear by their role."""

    at: datetime
    source: str
    text: str


class Point(Value):
    """What versions answered since the point before. ready: empty where nobody looked."""

    at: datetime
    requests: dict[str, int]
    errors: dict[str, int]
    ready: dict[str, int]


class StepLine(Value):
    """One step, planned or carried out. earlier: how the attempt before the last one ended.

    undo: it puts back what an earlier step changed. ended_at: by the clock that the decision has.
    """

    name: str
    undo: bool = False
    state: StepState
    timeout_s: Seconds | None = None
    attempts: int | None = None
    earlier: str = ""
    worker: str = ""
    because: str = ""
    record: StepRecord | None = None
    ended_at: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.record is None:
            return None
        return (self.record.finished_at - self.record.started_at).total_seconds()


class ServicePart(Value):
    """One service: its plan, its steps, how it ended, and the points of its picture."""

    plan: ServicePlan
    steps: tuple[StepLine, ...]
    outcome: ServiceOutcome | None
    points: tuple[Point, ...]

    @property
    def lowest_ready(self) -> int | None:
        """Fewest ready instances that any step saw."""
        seen = [r.lowest_ready for r in self.records if r.lowest_ready is not None]
        return min(seen, default=None)

    @property
    def shifted_at(self) -> datetime | None:
        """When the first write that moves traffic had reached its target."""
        records = [step.record for step in self._forward(ActionKind.REDIRECT_TRAFFIC)]
        written = [record.first_write_at for record in records if record]
        return min((at for at in written if at is not None), default=None)

    @property
    def traffic_back_at(self) -> datetime | None:
        """When the last planned shift was confirmed; not known if it was undone or is missing."""
        kind = ActionKind.REDIRECT_TRAFFIC
        done = [step for step in self._forward(kind) if step.state is StepState.DONE]
        planned = sum(action.kind is kind for action in self.plan.actions)
        undone = self.outcome is not None and self.outcome.end is not EndState.ROLLED_BACK
        return done[-1].ended_at if done and len(done) >= planned and not undone else None

    @property
    def verified_at(self) -> datetime | None:
        """When users were shown to be well."""
        steps = self._forward(ActionKind.VERIFY)
        done = [step for step in steps if step.state is StepState.DONE]
        unproven = self.outcome is not None and not self.outcome.verified
        return done[-1].ended_at if done and not unproven else None

    @property
    def records(self) -> list[StepRecord]:
        """What carried-out steps left, in order."""
        return [step.record for step in self.steps if step.record is not None]

    def _forward(self, kind: ActionKind) -> list[StepLine]:
        return [step for step in self.steps if step.name == kind and not step.undo]


class DecisionLine(Value):
    """One vote. counted: yes, or ignored because; never silently."""

    at: datetime
    decision: str
    by: str
    method: str
    plan: str
    counted: str
    reason: str
    source: str


class CommandLine(Value):
    """One command that somebody gave while it ran."""

    at: datetime
    command: str
    by: str
    reason: str
    answer: str
    source: str


class Impact(Value):
    """How long users had errors. at_least: the evidence begins in the middle of it."""

    since: datetime
    until: datetime
    at_least: bool

    @property
    def minutes(self) -> float:
        """Length in minutes."""
        return (self.until - self.since).total_seconds() / 60


class Report(Value):
    """One rollback. decided_at is the hinge between *deploy degraded* and *rollback*.

    ended: how Temporal closed it; None while it runs. own_errors: answers that failed at the front
    door and that no version gave; unread: steps for which nobody counted them.
    """

    rollback: str
    request: RollbackRequest
    requested_at: datetime
    as_of: datetime
    ended: Kind | None
    ended_because: str
    planned: Planned | None
    outcome: RollbackOutcome | None
    digest: str
    security: str
    decided_at: datetime | None
    decided_how: str
    services: tuple[ServicePart, ...]
    before: tuple[Moment, ...]
    after: tuple[Moment, ...]
    decisions: tuple[DecisionLine, ...]
    commands: tuple[CommandLine, ...]
    gates: tuple[GateResult, ...]
    own_errors: int | None
    unread: tuple[str, ...]
    release_at: datetime | None
    impact: Impact | None

    @property
    def plan(self) -> RollbackPlan | None:
        """The plan that people agreed to."""
        return self.planned.plan if self.planned else None

    @property
    def traffic_back_s(self) -> float | None:
        """Seconds from the decision until all services had their traffic back."""
        return self._since_decision(part.traffic_back_at for part in self.services)

    @property
    def verified_s(self) -> float | None:
        """Seconds from the decision until users of all services were shown to be well."""
        return self._since_decision(part.verified_at for part in self.services)

    def _since_decision(self, times: Iterable[datetime | None]) -> float | None:
        last = _last(times)
        if last is None or self.decided_at is None:
            return None
        return (last - self.decided_at).total_seconds()


def build(entries: tuple[Entry, ...]) -> Report:
    """The report of the rollback whose parent's entries come first."""
    evidence = _Evidence(entries)
    request, planned, outcome = evidence.request, evidence.planned, evidence.outcome
    plan = planned.plan if planned else None
    services = tuple(evidence.part(service) for service in plan.services) if plan else ()
    decisions = evidence.decisions()
    decided = evidence.decision(decisions)
    moments = sorted(evidence.moments(services), key=lambda moment: moment.at)
    hinge = decided.at if decided else None
    own = [(s.name, s.record) for part in services for s in part.steps if s.record]
    counted = [r.own_errors for _, r in own if r.own_errors is not None]
    end = next((e for e in evidence.parent if e.kind in ENDS), None)
    return Report(
        rollback=evidence.id,
        request=request,
        requested_at=evidence.parent[0].at,
        as_of=max(entry.at for entry in entries),
        ended=end.kind if end else None,
        ended_because=end.because if end else "",
        planned=planned,
        outcome=outcome,
        digest=evidence.digest,
        security=(outcome.security if outcome else plan.security if plan else ""),
        decided_at=hinge,
        decided_how=decided.text if decided else "",
        services=services,
        before=tuple(m for m in moments if hinge is None or m.at < hinge),
        after=tuple(m for m in moments if hinge is not None and m.at >= hinge),
        decisions=decisions,
        commands=evidence.commands(),
        gates=_gates(plan, outcome),
        own_errors=sum(counted) if counted else None,
        unread=tuple(name for name, r in own if r.own_errors is None and not _only_read(r)),
        release_at=_first_traffic(services),
        impact=_impact(services, evidence.request),
    )


class _Evidence:
    """The entries of one rollback, read as what our workflows mean by them."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        if not entries:
            raise NotFound("there is no history to report from")
        self.id = entries[0].workflow
        self.parent = [entry for entry in entries if entry.workflow == self.id]
        self.entries = sorted(entries, key=lambda e: (e.at, e.workflow, e.run_id, e.event))

    @cached_property
    def request(self) -> RollbackRequest:
        request = _read(RollbackRequest, self.parent[0])
        if request is None:
            raise PermanentError(
                f"the history of {self.id} does not begin with a readable request",
                effect="Nothing was changed: a report only reads.",
                next_step="Give the id of a rollback whose payloads are plain JSON.",
            )
        return request

    @cached_property
    def planned(self) -> Planned | None:
        made = [entry for entry in self.parent if self._is_plan(entry)]
        return next((_read(Planned, entry) for entry in made), None)

    def _is_plan(self, entry: Entry) -> bool:
        return entry.kind is Kind.LOCAL_ACTIVITY and entry.name == "plan_rollback"

    @cached_property
    def outcome(self) -> RollbackOutcome | None:
        ends = (entry for entry in self.parent if entry.kind is Kind.COMPLETED)
        return next((_read(RollbackOutcome, entry) for entry in ends), None)

    @cached_property
    def digest(self) -> str:
        """As it was then: a later build may have more fields, hence another digest."""
        starts = (e for e in self.entries if e.kind is Kind.STARTED and e.workflow != self.id)
        asked = [_read(contract.ServiceRollback, entry) for entry in starts]
        then = [self.outcome.digest if self.outcome else "", *(a.digest for a in asked if a)]
        now = self.planned.plan.digest if self.planned and self.planned.plan else ""
        return next((digest for digest in then if digest), now)

    def part(self, plan: ServicePlan) -> ServicePart:
        """One service, by its own history or, if that is gone, by what its parent kept."""
        child = contract.service_id(self.request.env, plan.service)
        known = self.outcome.services if self.outcome else ()
        outcome = next((o for o in known if o.service == plan.service), None) or next(
            (_read(ServiceOutcome, e) for e in self.parent if self._is_end_of(child, e)), None
        )
        steps = _completed(self._steps(child, plan), outcome, plan)
        return ServicePart(
            plan=plan,
            steps=(*steps, *_not_begun(plan, steps)),
            outcome=outcome,
            points=(*self._seen_before(plan), *_samples(steps)),
        )

    def _is_end_of(self, child: str, entry: Entry) -> bool:
        return entry.kind is Kind.CHILD_DONE and entry.name == child

    def _steps(self, child: str, plan: ServicePlan) -> list[StepLine]:
        mine = [entry for entry in self.entries if entry.workflow == child]
        steps = (_step(entry, mine, plan) for entry in mine)
        return [step for step in steps if step is not None]

    def _seen_before(self, plan: ServicePlan) -> Iterator[Point]:
        for seen in self.request.evidence:
            if {plan.from_version, plan.to_version} & set(seen.requests):
                yield Point(at=seen.at, requests=seen.requests, errors=seen.errors, ready={})

    def decisions(self) -> tuple[DecisionLine, ...]:
        """Every vote that reached the rollback, counted or not."""
        return tuple(self._decision(entry) for entry in self.parent if _is_vote(entry))

    def _decision(self, entry: Entry) -> DecisionLine:
        vote = _read(contract.Vote, entry)
        return DecisionLine(
            at=entry.at,
            decision=entry.name,
            by=vote.by if vote else "",
            method=vote.method if vote else "",
            plan=vote.plan if vote else "",
            counted=self._counted(entry, vote),
            reason=vote.reason if vote else "",
            source=entry.source,
        )

    def _counted(self, entry: Entry, vote: contract.Vote | None) -> str:
        answer = self._answer(entry)
        if answer or vote is None:
            return answer
        known = self.outcome.decisions if self.outcome else ()
        mine = [d for d in known if d.decision == entry.name and d.by == vote.by]
        record = min(mine, key=lambda d: abs(d.at - entry.at), default=None)
        return _in_words(record.counted, record.because) if record else ""

    def _answer(self, entry: Entry) -> str:
        """What an update was answered; signals get no answer."""
        if entry.kind is not Kind.UPDATE_ACCEPTED:
            return ""
        ends = [e for e in self.entries if (e.workflow, e.of) == (entry.workflow, entry.event)]
        for end in ends:
            answered = _read(Answered, end)
            if end.kind is Kind.UPDATE_ANSWERED:
                told = _in_words(answered.applied, answered.because) if answered else end.because
                return told or ""
        return ""

    def decision(self, votes: tuple[DecisionLine, ...]) -> Moment | None:
        """The moment at which it was decided to roll back."""
        plan = self.planned.plan if self.planned else None
        if plan is None:
            return None
        if not plan.approval.required:
            made = next(entry for entry in self.parent if self._is_plan(entry))
            text = "policy asks for no approval: decided with the plan"
            return Moment(at=made.at, source=made.source, text=text)
        for vote in votes:
            if vote.decision == "approve" and vote.counted.startswith("counted"):
                text = f"an approver agreed to plan {short(self.digest)}"
                return Moment(at=vote.at, source=vote.source, text=text)
        return None

    def commands(self) -> tuple[CommandLine, ...]:
        """What people asked for on the way; what a parent passes on is not repeated."""
        return tuple(self._command(e) for e in self.entries if _is_command(e, self.id))

    def _command(self, entry: Entry) -> CommandLine:
        said = _read(_Said, entry) or _Said()
        details = " ".join(part for part in (said.step, said.mode) if part)
        name = entry.name or str(entry.kind)
        return CommandLine(
            at=entry.at,
            command=f"{name} ({details})" if details else name,
            by=said.by or entry.identity,
            reason=said.reason or entry.because,
            answer=self._answer(entry),
            source=entry.source,
        )

    def moments(self, services: tuple[ServicePart, ...]) -> Iterator[Moment]:
        """Both timelines in one: events, writes inside steps, and the evidence's turning point."""
        for entry in self.entries:
            text = _text(entry, self)
            if text:
                yield Moment(at=entry.at, source=entry.source, text=text)
        for part in services:
            yield from _writes(part)
            worse = _first_worse(part)
            if worse is not None:
                text = f"first second in which {part.plan.from_version} failed more than is normal"
                source = f"evidence in {self.parent[0].source}"
                yield Moment(at=worse.at, source=source, text=text)


class _Said(Value):
    """The fields that commands have in common, for commands of any kind."""

    step: str = ""
    mode: str = ""
    by: str = ""
    reason: str = ""


COMMANDS = {
    "abort": "an operator asked to abort",
    "pause": "an operator asked to pause",
    "resume": "an operator asked to go on",
    "retry_step": "an operator asked to try the step again",
    "skip_step": "an operator asked to go on without the step",
}
LOCAL = {
    "claim": "the service was claimed",
    "observe": "the world was read",
    "close_service": "the outcome was recorded, the claim given back",
    "conclude": "the gates were judged",
}
VOTES = {"approve": "an approver agreed", "reject": "an approver said no"}
MESSAGES = {Kind.SIGNAL, Kind.UPDATE_ACCEPTED}


def _is_vote(entry: Entry) -> bool:
    return entry.kind in MESSAGES and entry.name in VOTES


def _is_command(entry: Entry, parent: str) -> bool:
    if entry.kind in {Kind.CANCEL_REQUESTED, Kind.TERMINATED}:
        return entry.identity != parent
    return entry.kind in MESSAGES and entry.name in COMMANDS and entry.identity != parent


def _text(entry: Entry, evidence: _Evidence) -> str:
    """An entry in words without names of people; "" for what only moves the work along."""
    because = f": {entry.because}" if entry.because else ""
    match entry.kind:
        case Kind.STARTED if entry.workflow == evidence.id:
            reason = evidence.request.reason
            return f"the requester asked for a rollback{': ' + reason if reason else ''}"
        case Kind.SIGNAL if entry.name == "service_reports":
            report = _read(contract.ServiceReport, entry)
            return f"{report.service} waits: {report.waits_for or 'no longer'}" if report else ""
        case Kind.SIGNAL | Kind.UPDATE_ACCEPTED if entry.identity != evidence.id:
            return {**COMMANDS, **VOTES}.get(entry.name, f"message {entry.name}")
        case Kind.SIGNAL:
            return "the service may go" if entry.name == "go" else ""
        case Kind.UPDATE_ANSWERED:
            answer = _read(Answered, entry)
            told = _in_words(answer.applied, answer.because) if answer else f"refused{because}"
            return f"{entry.name} answered: {told}"
        case Kind.LOCAL_ACTIVITY:
            return _local(entry, evidence)
        case Kind.ACTIVITY_STARTED if entry.attempt > 1:
            before = entry.because or "unknown"
            return f"{entry.name}: attempt {entry.attempt} began; the one before ended: {before}"
        case Kind.ACTIVITY_STARTED:
            return f"{entry.name} began"
        case Kind.ACTIVITY_DONE:
            record = _read(StepRecord, entry)
            return f"{entry.name} {record.state}: {record.observed}" if record else entry.name
        case Kind.ACTIVITY_FAILED | Kind.ACTIVITY_TIMED_OUT | Kind.ACTIVITY_CANCELLED:
            return f"{entry.name} {entry.kind.removeprefix('activity_')}{because}"
        case Kind.TIMER_FIRED:
            return f"time is up: {entry.name}" if entry.name else ""
        case Kind.CHILD_STARTED:
            return f"{entry.name} began: it holds the lock"
        case Kind.CHILD_DONE:
            outcome = _read(ServiceOutcome, entry)
            return f"{entry.name} ended: {outcome.end if outcome else 'unknown'}"
        case Kind.CHILD_FAILED:
            return f"{entry.name} ended without a result{because}"
        case Kind.CANCEL_REQUESTED if entry.identity != evidence.id:
            return f"cancellation was asked for{because}"
        case Kind.COMPLETED if entry.workflow == evidence.id:
            return f"ended: {evidence.outcome.result if evidence.outcome else 'unknown'}"
        case Kind.FAILED | Kind.TIMED_OUT | Kind.CANCELLED | Kind.TERMINATED:
            return f"{entry.workflow} {entry.kind}{because}"
        case _:
            return ""


def _local(entry: Entry, evidence: _Evidence) -> str:
    if entry.because:
        return f"{entry.name} failed: {entry.because}"
    planned = _read(Planned, entry) if entry.name == "plan_rollback" else None
    if planned is None:
        there = _there_already(entry)
        return f"capacity is there already: {there}" if there else LOCAL.get(entry.name, entry.name)
    if planned.plan is None:
        return f"there can be no plan: {planned.blocked_because or planned.error or 'unknown'}"
    return f"the plan was made: {short(evidence.digest)}"


def _writes(part: ServicePart) -> Iterator[Moment]:
    for record in part.records:
        if record.first_write_at is not None:
            source = f"record of {record.kind}, {part.plan.service}"
            text = f"written: {record.written}"
            yield Moment(at=record.first_write_at, source=source, text=text)


class _Asked(Value):
    """What a step's activity was asked to do."""

    action: Action


class _Seen(Value):
    """What a short read found; capacity: in words that what was wanted is there already."""

    capacity: str = ""


def _there_already(entry: Entry) -> str:
    seen = _read(_Seen, entry) if entry.name == "observe" else None
    return seen.capacity if seen else ""


def _step(entry: Entry, mine: list[Entry], plan: ServicePlan) -> StepLine | None:
    """The step that begins with this entry, if one does."""
    if entry.kind is Kind.ACTIVITY_SCHEDULED and entry.name in set(ActionKind):
        return _carried_out([e for e in mine if e.of == entry.event], plan)
    there = _there_already(entry) if entry.kind is Kind.LOCAL_ACTIVITY else ""
    if not there:
        return None
    record = StepRecord(
        kind=ActionKind.PREPARE,
        state=StepState.DONE,
        before=there,
        written="",
        observed=there,
        started_at=entry.at,
        finished_at=entry.at,
    )
    return _kept(record, plan)


def _carried_out(mine: list[Entry], plan: ServicePlan) -> StepLine:
    """One run of one step's activity: its attempts, and how the last of them ended."""
    first, end = mine[0], mine[-1]
    asked = _read(_Asked, first)
    record = _read(StepRecord, end) if end.kind is Kind.ACTIVITY_DONE else None
    began = next((entry for entry in mine if entry.kind is Kind.ACTIVITY_STARTED), None)
    match end.kind:
        case Kind.ACTIVITY_DONE:
            state = record.state if record else StepState.DONE
        case Kind.ACTIVITY_FAILED | Kind.ACTIVITY_TIMED_OUT:
            state = StepState.FAILED
        case Kind.ACTIVITY_CANCELLED:
            state = StepState.STOPPED
        case _:
            state = StepState.RUNNING
    return StepLine(
        name=first.name,
        undo=asked is not None and asked.action not in plan.actions,
        state=state,
        timeout_s=asked.action.timeout_s if asked else _timeout(first.name, plan),
        attempts=began.attempt if began else None,
        earlier=began.because if began else "",
        worker=began.identity if began else "",
        because=record.because if record else end.because if end is not began else "",
        record=record,
        ended_at=end.at if state is not StepState.RUNNING else None,
    )


def _kept(record: StepRecord, plan: ServicePlan) -> StepLine:
    """A step of which only the record is left."""
    return StepLine(
        name=record.kind,
        state=record.state,
        timeout_s=_timeout(record.kind, plan),
        attempts=record.attempt,
        because=record.because,
        record=record,
        ended_at=record.finished_at,
    )


def _completed(
    steps: list[StepLine], outcome: ServiceOutcome | None, plan: ServicePlan
) -> list[StepLine]:
    """The steps with what the workflow itself noted where an activity left no record."""
    records = outcome.steps if outcome else ()
    if not steps:
        return [_kept(record, plan) for record in records]
    if [step.name for step in steps] != [record.kind for record in records]:
        return steps
    return [
        step.model_copy(update={"record": step.record or r, "state": r.state, "because": r.because})
        for step, r in zip(steps, records, strict=True)
    ]


def _not_begun(plan: ServicePlan, steps: list[StepLine]) -> Iterator[StepLine]:
    left = [step.name for step in steps if not step.undo]
    for action in plan.actions:
        if action.name in left:
            left.remove(action.name)
        else:
            yield StepLine(
                name=action.name, state=StepState.PLANNED, timeout_s=action.timeout_s, attempts=0
            )


def _timeout(name: str, plan: ServicePlan) -> float | None:
    return next((a.timeout_s for a in plan.actions if a.name == name), None)


def _samples(steps: list[StepLine]) -> Iterator[Point]:
    samples: list[Sample] = [s for step in steps if step.record for s in step.record.samples]
    for seen in sorted(samples, key=lambda sample: sample.at):
        yield Point(at=seen.at, requests=seen.requests, errors=seen.errors, ready=seen.ready)


def _only_read(record: StepRecord) -> bool:
    """Whether all was there already, so that nothing of ours could fail a request."""
    return not record.written and record.before == record.observed != "unknown"


def _first_worse(part: ServicePart) -> Point | None:
    """The first evidence that shows more failures than normal, at 99 % confidence."""
    limit = error_limit(part.plan.baseline, part.plan.policy.verification)
    return next((p for p in part.points if not p.ready and _is_worse(p, part, limit)), None)


def _is_worse(point: Point, part: ServicePart, limit: float) -> bool:
    requests = point.requests.get(part.plan.from_version, 0)
    return wilson(point.errors.get(part.plan.from_version, 0), requests)[0] > limit


def _impact(services: tuple[ServicePart, ...], request: RollbackRequest) -> Impact | None:
    worse = [point for point in map(_first_worse, services) if point is not None]
    until = _last(part.traffic_back_at for part in services)
    if not worse or until is None:
        return None
    since = min(point.at for point in worse)
    return Impact(since=since, until=until, at_least=since == request.evidence[0].at)


def _first_traffic(services: tuple[ServicePart, ...]) -> datetime | None:
    """When the bad release first got requests; not known unless evidence shows a time without."""
    times = []
    for part in services:
        bad = part.plan.from_version
        served = [point for point in part.points if point.requests.get(bad, 0) > 0]
        if served and served[0] is not part.points[0]:
            times.append(served[0].at)
    return min(times, default=None)


def _gates(plan: RollbackPlan | None, outcome: RollbackOutcome | None) -> tuple[GateResult, ...]:
    """All gates that were asked, in the groups' order; the plan's own where none is later."""
    gates = outcome.gates if outcome else ()
    if plan is not None and not any(gate.group is Group.BEFORE for gate in gates):
        gates = (*plan.gates, *gates)
    return tuple(sorted(gates, key=lambda gate: list(Group).index(gate.group)))


def _in_words(applied: bool, because: str) -> str:
    if applied:
        return because if because.startswith("counted") else f"counted: {because}"
    return f"ignored: {because}"


def _last(times: Iterable[datetime | None]) -> datetime | None:
    """The last of all; not known if one of them is not."""
    known = list(times)
    there = [at for at in known if at is not None]
    return max(there) if there and len(there) == len(known) else None


def _read(model: type[T], entry: Entry) -> T | None:
    """The payload as what it should be; None if it is not (anybody may send a message)."""
    try:
        return model.model_validate_json(entry.payload) if entry.payload else None
    except ValidationError:
        return None
