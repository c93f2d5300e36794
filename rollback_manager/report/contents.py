"""What a report consists of."""

from collections.abc import Iterable
from datetime import datetime

from rollback_manager.audit import Proof
from rollback_manager.contract import Planned, RollbackRequest
from rollback_manager.gates import GateResult
from rollback_manager.plan import ActionKind, RollbackPlan, ServicePlan
from rollback_manager.progress import (
    EndState,
    RollbackOutcome,
    ServiceOutcome,
    StepRecord,
    StepState,
)
from rollback_manager.report.entries import Kind
from rollback_manager.values import Seconds, Value
from rollback_manager.verification import error_limit, wilson


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
    def records(self) -> list[StepRecord]:
        """What carried-out steps left, in order."""
        return [step.record for step in self.steps if step.record is not None]

    @property
    def lowest_ready(self) -> int | None:
        """Fewest ready instances that any step saw."""
        seen = [r.lowest_ready for r in self.records if r.lowest_ready is not None]
        return min(seen, default=None)

    @property
    def worse_at(self) -> datetime | None:
        """The first evidence that shows more failures than normal, at 99 % confidence."""
        bad = self.plan.from_version
        limit = error_limit(self.plan.baseline, self.plan.policy.verification)
        seen = (point for point in self.points if not point.ready)
        worse = (
            point.at
            for point in seen
            if wilson(point.errors.get(bad, 0), point.requests.get(bad, 0))[0] > limit
        )
        return next(worse, None)

    @property
    def released_at(self) -> datetime | None:
        """When the bad version first got requests; not known unless a time without was seen."""
        bad = self.plan.from_version
        served = [point.at for point in self.points if point.requests.get(bad, 0) > 0]
        return served[0] if served and served[0] != self.points[0].at else None

    @property
    def shifted_at(self) -> datetime | None:
        """When the first write that moves traffic had reached its target."""
        steps = self._forward(ActionKind.REDIRECT_TRAFFIC)
        written = (step.record.first_write_at for step in steps if step.record)
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
        done = [step for step in self._forward(ActionKind.VERIFY) if step.state is StepState.DONE]
        unproven = self.outcome is not None and not self.outcome.verified
        return done[-1].ended_at if done and not unproven else None

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
    signed: bool = False
    """Whether by and method are as signed; else they are as somebody wrote them."""


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
    audit: Proof | None = None
    no_audit_because: str = ""
    """Why there is no proof by the audit chain; empty where nobody asked for one."""

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
        last = last_of(times)
        if last is None or self.decided_at is None:
            return None
        return (last - self.decided_at).total_seconds()


def last_of(times: Iterable[datetime | None]) -> datetime | None:
    """The last of all; not known if one of them is not."""
    known = list(times)
    there = [at for at in known if at is not None]
    return max(there) if there and len(there) == len(known) else None
