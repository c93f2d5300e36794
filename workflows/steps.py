"""Carries out one planned action as an activity, and keeps what came of each."""

from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from workflows.control import Control
from workflows.options import MAY_BE_CUT, step_options
from workflows.short import AT_ONCE, FAILED, ONCE

with workflow.unsafe.imports_passed_through():
    from activities.configuration import ConfigurationActivities
    from activities.metrics import MetricsActivities
    from activities.owners import OwnerActivities
    from activities.records import Claimed, Observed, Question, RecordActivities
    from activities.slices import SliceActivities
    from activities.step import Step
    from activities.traffic import TrafficActivities
    from activities.workloads import WorkloadActivities
    from rollback_manager.contract import ServiceRollback
    from rollback_manager.metrics.reading import traffic_between
    from rollback_manager.operation import Mark, op_id
    from rollback_manager.plan import (
        Action,
        ActionKind,
        Alternative,
        Capacity,
        ServicePlan,
        Split,
        Wanted,
        Well,
    )
    from rollback_manager.progress import Found, StepRecord, StepState, StepStatus
    from rollback_manager.rendering import web_ui

ACTIVITIES: dict[ActionKind, Callable[..., StepRecord]] = {
    ActionKind.RESTORE_CONFIGURATION: ConfigurationActivities.restore_configuration,
    ActionKind.HOLD_OWNER: OwnerActivities.hold_owner,
    ActionKind.PREPARE: WorkloadActivities.prepare,
    ActionKind.REDIRECT_TRAFFIC: TrafficActivities.redirect_traffic,
    ActionKind.CHECK_SLICE: SliceActivities.check_slice,
    ActionKind.STOP_BATCH: WorkloadActivities.stop_batch,
    ActionKind.DRAIN: TrafficActivities.drain,
    ActionKind.VERIFY: MetricsActivities.verify,
    ActionKind.CLEAN_UP: WorkloadActivities.clean_up,
}
"""Kind of action → the activity of the same name."""


class Steps:
    """All steps of one service: planned ones first, undoing ones appended."""

    def __init__(self, request: ServiceRollback, control: Control) -> None:
        self._request = request
        self._control = control
        self._plan = request.plan.model_copy(update={"phases": ()})
        self.actions = list(request.plan.actions)
        self.statuses = [_planned(action) for action in self.actions]
        self.records: list[StepRecord] = []
        self._last: dict[int, StepRecord] = {}
        self._begun = 0
        self._sealed = 0
        self._done: list[tuple[Wanted, datetime]] = []
        self.epoch = 0
        self._seen: tuple[Observed, datetime] | None = None
        self._relies_on: Capacity | None = None

    @property
    def first_capacity(self) -> Capacity | None:
        """The capacity that the first step wants, if that is what it wants."""
        wanted = self.actions[0].wanted if self.actions else None
        return wanted if isinstance(wanted, Capacity) else None

    def claimed(self, claimed: Claimed) -> None:
        """The service is ours; what was seen meanwhile spares the first step a look."""
        self.epoch = claimed.epoch
        if claimed.found is not None:
            seen = Observed(found=claimed.found, capacity=claimed.capacity)
            self._seen = seen, workflow.now()

    @property
    def last_found(self) -> Found | None:
        """The world as the last step left it; None before any step has looked."""
        return next((r.found for r in reversed(self.records) if r.found is not None), None)

    def traffic_back_at(self) -> datetime | None:
        """When the first shift was confirmed that left the bad version without traffic."""
        bad = self._request.plan.from_version
        shifts = (
            at
            for wanted, at in self._done
            if isinstance(wanted, Split) and bad not in wanted.shares
        )
        return next(shifts, None)

    def verified_at(self) -> datetime | None:
        """When users were shown to be well."""
        return next((at for wanted, at in self._done if isinstance(wanted, Well)), None)

    @property
    def loose(self) -> frozenset[ActionKind]:
        """Changes of which a write may be under way still: an attempt was given up, none done.

        Since the last seal.
        """
        loose = set[ActionKind]()
        for record in self.records[self._sealed :]:
            if record.state is StepState.DONE:
                loose.discard(record.kind)
            elif record.attempt != 1 and not MAY_BE_CUT[record.kind]:
                loose.add(record.kind)
        return frozenset(loose)

    def sealed(self) -> None:
        """Marks newer than those of all loose writes stand at the target now."""
        self._sealed = len(self.records)

    def append(self, action: Action) -> int:
        """One more step at the end; its number."""
        self.actions.append(action)
        self.statuses.append(_planned(action))
        return len(self.actions) - 1

    def go_for(self, version: str) -> None:
        """From now on steps are judged by what is normal for this version."""
        first = self._request.plan
        found = (other for other in first.alternatives if other.version == version)
        other = next(found, None)
        goal = {
            "to_version": version,
            "to_digest": other.digest if other else first.to_digest,
            "baseline": other.baseline if other else first.baseline,
            "alternatives": (*first.alternatives, _tried(first)),
        }
        self._plan = self._plan.model_copy(update=goal)

    def supersede(self, because: str) -> None:
        """Steps that were not begun will not be."""
        for number, status in enumerate(self.statuses):
            if status.state is StepState.PLANNED:
                self.note(number, StepState.SKIPPED, because)

    def error_ratio(self, number: int) -> float | None:
        """Failed requests ÷ requests, as the last attempt at that step measured them."""
        return self._last[number].error_ratio if number in self._last else None

    def note(self, number: int, state: StepState, summary: str = "") -> None:
        """What people see of the step from now on."""
        now = workflow.now()
        times = {"started_at": now} if state is StepState.RUNNING else {"finished_at": now}
        self.statuses[number] = self.statuses[number].model_copy(
            update={"state": state, "summary": summary or self.statuses[number].summary, **times}
        )

    async def attempt(self, number: int, *, cut: bool = True, undoes: bool = False) -> StepRecord:
        """One attempt at a step, to its end. Fails never: what went wrong is in the record.

        PLANNED: it wrote nothing, for the capacity that the claim saw is gone; prepare again.
        cut: whether an abort may reach into it, where its kind allows that.
        undoes: it leaves its mark even where there is nothing to put back.
        """
        self.note(number, StepState.RUNNING)
        self._begun += 1
        record = (
            self._seen_with_claim(number)
            or (None if undoes else await self._there_already(number))
            or await self._carry_out(self._step(number, undoes), cut)
        )
        record = record.model_copy(update={"undoes": True}) if undoes else record
        self.records.append(record)
        self._last[number] = record
        if record.state is StepState.DONE:
            self._done.append((self.actions[number].wanted, record.finished_at))
        self.note(number, record.state, record.because or record.observed)
        return record

    def _seen_with_claim(self, number: int) -> StepRecord | None:
        """No new look for what the claim saw, however long ago: the shift itself looks again."""
        wanted, seen, self._seen = self.actions[number].wanted, self._seen, None
        if not isinstance(wanted, Capacity):
            return None
        record = _warm(wanted, *seen) if seen else None
        self._relies_on = wanted if record else None
        return record

    async def _there_already(self, number: int) -> StepRecord | None:
        """A short read instead of an activity, so that a warm version costs no round trip."""
        wanted = self.actions[number].wanted
        if not isinstance(wanted, Capacity):
            return None
        started_at = workflow.now()
        question = Question(env=self._request.env, service=self._plan.service, capacity=wanted)
        try:
            seen: Observed = await workflow.execute_local_activity_method(
                RecordActivities.observe,
                question,
                start_to_close_timeout=AT_ONCE,
                retry_policy=ONCE,
                summary=f"{wanted.instances} × {wanted.version} ready?",
            )
        except FAILED:
            return None  # the activity itself will say what is wrong, and be retried
        return _warm(wanted, seen, started_at)

    async def _carry_out(self, step: Step, cut: bool) -> StepRecord:
        action, started_at = step.action, workflow.now()
        work = workflow.execute_activity_method(
            ACTIVITIES[action.kind],
            step,
            summary=web_ui.step_summary(action, self._plan),
            **step_options(action, self._plan.policy.timeouts),
        )
        may_be_cut = cut and MAY_BE_CUT[action.kind]
        try:
            return await (
                self._control.race(work) if may_be_cut else self._control.to_the_end(work)
            )
        except ActivityError as error:
            stopped = is_cancelled_exception(error)
            return StepRecord(
                kind=action.kind,
                state=StepState.STOPPED if stopped else StepState.FAILED,
                before="unknown",
                written="",
                observed="unknown",
                because=reason_of(error),
                attempt=_attempt(error),
                started_at=started_at,
                finished_at=workflow.now(),
            )

    def _traffic_before(self) -> float | None:
        """Requests per second from planning until the first shift looked, where that tells."""
        shifts = (r.counted for r in self.records if r.kind is ActionKind.REDIRECT_TRAFFIC)
        planned, shifted = self._request.counted, next((at for at in shifts if at), None)
        return traffic_between(planned, shifted) if planned and shifted else None

    def _step(self, number: int, undoes: bool) -> Step:
        request, wanted, there = self._request, self.actions[number].wanted, self._relies_on
        relies = there and isinstance(wanted, Split) and wanted.version == there.version
        mark = Mark(
            op_id=op_id(request.rollback, self._plan.service, number, request.digest),
            epoch=self.epoch,
            step=self._begun - 1,  # not its place in the plan: steps may be added between
        )
        return Step(
            env=request.env,
            rollback=request.rollback,
            plan=self._plan,
            action=self.actions[number],
            mark=mark,
            throughput_before=self._traffic_before(),
            relies_on=there if relies else None,
            leaves_mark=undoes,
        )


def _tried(plan: ServicePlan) -> Alternative:
    """The first target among the others, so that it is not taken for somebody else's deploy."""
    return Alternative(
        version=plan.to_version, digest=plan.to_digest, because="tried first", phases=()
    )


def _warm(wanted: Capacity, seen: Observed, at: datetime) -> StepRecord | None:
    """There was nothing to do, if the wanted capacity was seen."""
    if not seen.capacity:
        return None
    return StepRecord(
        kind=wanted.kind,
        state=StepState.DONE,
        before=seen.capacity,
        written="",
        observed=seen.capacity,
        found=seen.found,
        started_at=at,
        finished_at=at,
    )


def _planned(action: Action) -> StepStatus:
    return StepStatus(name=action.name, target=web_ui.target_of(action))


def _attempt(error: ActivityError) -> int:
    """Which one it was that failed for good; 0 where Temporal gave up waiting for one."""
    cause = error.cause
    told = cause.details[2:] if isinstance(cause, ApplicationError) else ()
    return int(told[0]) if told else 0


def reason_of(error: ActivityError) -> str:
    """The innermost reason; "Activity task failed" alone helps nobody."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return cause.message if isinstance(cause, ApplicationError) else str(cause)
