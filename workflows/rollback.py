"""The whole rollback: plan → gates → approval → the service's child → conclusion."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.approval import Approval
from workflows.child import ServiceChild
from workflows.control import Control
from workflows.messages import readable
from workflows.options import A_MINUTE
from workflows.service_rollback import STATE
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.judgement import Conclusion, JudgementActivities
    from activities.planning import PlanningActivities
    from rollback_manager.contract import (
        ROLLBACK_WORKFLOW,
        AbortCommand,
        Answered,
        Decision,
        PauseCommand,
        Planned,
        RollbackRequest,
        ServiceReport,
        Vote,
    )
    from rollback_manager.plan import RollbackPlan, ServicePlan
    from rollback_manager.progress import (
        Result,
        RollbackOutcome,
        RollbackStatus,
        ServiceOutcome,
        ServiceStatus,
        State,
    )
    from rollback_manager.rendering import web_ui


@workflow.defn(name=ROLLBACK_WORKFLOW, failure_exception_types=[pydantic.ValidationError])
class RollbackWorkflow:
    """Plans, asks whoever must be asked, lets the service's child work, and concludes."""

    @workflow.init
    def __init__(self, request: RollbackRequest) -> None:
        self._request = request
        self._control = Control()
        self._approval = Approval()
        self._plan: RollbackPlan | None = None
        self._state = State.PLANNING
        self._waits_for = ""
        self._child = ServiceChild(self._control)
        self._reports: list[ServiceReport] = []
        self._outcome: RollbackOutcome | None = None

    @workflow.run
    async def run(self, request: RollbackRequest) -> RollbackOutcome:
        """From "this release is bad" to an outcome with its evidence."""
        planned: Planned = await self._control.to_the_end(
            short(
                PlanningActivities.plan_rollback, request, patience=A_MINUTE, summary="plan, gates"
            )
        )
        self._outcome = await self._carry_out(planned)
        self._move(State.FINISHED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome

    async def _carry_out(self, planned: Planned) -> RollbackOutcome:
        plan = planned.plan
        if plan is None:
            result = Result.STALE_PLAN if planned.error == "StalePlan" else Result.BLOCKED
            return self._nothing_done(
                result, planned.blocked_because, planned.effect, planned.next_step
            )
        self._plan = plan
        if plan.approval.required:
            self._approval.open(plan)
        at_once = not plan.approval.required and not self._child.is_to_be_told()
        try:
            await self._child.start(plan, plan.services[0], go=at_once)
        except WorkflowAlreadyStartedError as error:
            return self._blocked_by(error.workflow_id)
        refused = await self._ask(plan) if plan.approval.required else None
        if not (at_once or plan.approval.required):
            await self._child.begin()
        if refused is None:
            self._move(State.RUNNING)
        await self._follow()
        outcome = await self._child.outcome(plan.services[0].service)
        self._approval.close("the rollback is over")
        return await self._conclude(plan, outcome, refused)

    async def _ask(self, plan: RollbackPlan) -> Result | None:
        """None: approved. Otherwise why the child was told to stop before it began."""
        self._move(State.WAITING_FOR_APPROVAL)
        in_time = await self._approval.wait(self._control, self._child.done)
        decided = self._approval.decided
        if self._control.abort is not None:  # abort wins ties
            self._approval.close("it was aborted")
            return None
        if self._child.done():  # by a cancel of its own: nothing is left that could be approved
            self._approval.close("its service has ended")
            return None
        if decided is Decision.APPROVE:
            await self._child.begin()
            return None
        by = "nobody in time" if not in_time else "a vote"
        self._approval.close("the deadline has passed")
        await self._child.stop(by, "not approved")
        if in_time:
            return Result.REJECTED
        reject = plan.approval.on_expiry == "reject"
        return Result.REJECTED if reject else Result.EXPIRED

    async def _follow(self) -> None:
        """Pass on what people say until the child has ended."""
        while not self._child.done():
            try:
                await workflow.wait_condition(lambda: self._child.done() or self._has_news())
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise
            await self._child.pass_on()
            while self._reports:
                report = self._reports.pop(0)
                state = State.NEEDS_HUMAN if report.waits_for else State.RUNNING
                self._move(state, report.waits_for)

    def _has_news(self) -> bool:
        return bool(self._reports) or self._child.is_to_be_told()

    async def _conclude(
        self, plan: RollbackPlan, service: ServiceOutcome, refused: Result | None
    ) -> RollbackOutcome:
        """The gates during, after and of completion; judged in an activity."""
        info = workflow.info()
        conclusion = Conclusion(
            rollback=info.workflow_id,
            plan=plan,
            services=(service,),
            decisions=tuple(self._approval.records),
            refused=refused,
            seconds=(workflow.now() - info.start_time).total_seconds(),
        )
        outcome: RollbackOutcome = await self._control.to_the_end(
            short(
                JudgementActivities.conclude,
                conclusion,
                patience=A_MINUTE,
                summary="gates during, after, of completion",
            )
        )
        return outcome

    def _blocked_by(self, holder: str) -> RollbackOutcome:
        service = self._request.services[0]
        return self._nothing_done(
            Result.BLOCKED,
            f"{service} is being rolled back already: {holder} holds the lock",
            "This call changed nothing; the other rollback goes on.",
            f"See it: rollback-manager list --env {self._request.env}",
        )

    def _nothing_done(
        self, result: Result, because: str, effect: str, next_step: str
    ) -> RollbackOutcome:
        return RollbackOutcome(
            rollback=workflow.info().workflow_id,
            result=result,
            because=because,
            effect=effect or "Production is unchanged.",
            next_step=next_step,
        )

    def _move(self, state: State, waits_for: str = "") -> None:
        self._state, self._waits_for = state, waits_for
        workflow.upsert_search_attributes([STATE.value_set(str(state))])
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(web_ui.rollback_details(self.status(), self._plan))

    @workflow.query
    def status(self) -> RollbackStatus:
        """Where the rollback is; each service's own steps are its child's to tell."""
        plan, ballot = self._plan, self._approval.ballot
        waiting = self._state is State.WAITING_FOR_APPROVAL
        return RollbackStatus(
            rollback=workflow.info().workflow_id,
            env=self._request.env,
            state=self._state,
            digest=plan.digest if plan else "",
            requested_by=self._request.requested_by,
            reason=self._request.reason,
            waits_for="approve or reject" if waiting else self._waits_for,
            deadline=ballot.deadline if ballot and waiting else None,
            services=tuple(_not_told(self, service) for service in (plan.services if plan else ())),
            decisions=tuple(self._approval.records),
            outcome=self._outcome,
            security=plan.security if plan else "local",
        )

    @workflow.query
    def plan(self) -> RollbackPlan | None:
        """The plan, as it was frozen."""
        return self._plan

    @workflow.update(description="Approve the plan; quote its digest")
    def approve(self, vote: Vote) -> Answered:
        """Agree to the plan whose digest the vote quotes."""
        return self._approval.cast(Decision.APPROVE, vote)

    @approve.validator
    def _may_approve(self, vote: Vote) -> None:
        self._approval.check(vote)

    @workflow.update(description="Reject the plan; quote its digest")
    def reject(self, vote: Vote) -> Answered:
        """Refuse the plan whose digest the vote quotes."""
        return self._approval.cast(Decision.REJECT, vote)

    @reject.validator
    def _may_reject(self, vote: Vote) -> None:
        self._approval.check(vote)

    @workflow.signal(name="approve", description="Approve the plan; quote its digest")
    def approve_signal(self, vote: Vote | None = None) -> None:
        """The update's twin: stored even while no worker runs."""
        if known := readable(vote, Vote):
            self._approval.cast(Decision.APPROVE, known)

    @workflow.signal(name="reject", description="Reject the plan; quote its digest")
    def reject_signal(self, vote: Vote | None = None) -> None:
        """The update's twin: stored even while no worker runs."""
        if known := readable(vote, Vote):
            self._approval.cast(Decision.REJECT, known)

    @workflow.signal(description="Stop at the next safe point; mode restore puts back what was")
    def abort(self, command: AbortCommand | None = None) -> None:
        """Stop at the next safe point; with mode `restore`, then put back what was there before."""
        if known := readable(command or AbortCommand(by="signal"), AbortCommand):
            self._control.record(known)
            self._child.tell("abort", known)

    @workflow.signal(description="Finish the step under way, then wait")
    def pause(self, command: PauseCommand | None = None) -> None:
        """Finish the step under way, then wait."""
        if known := readable(command or PauseCommand(by="signal"), PauseCommand):
            self._child.tell("pause", known)

    @workflow.signal(description="Go on after a pause")
    def resume(self, command: PauseCommand | None = None) -> None:
        """Go on after a pause."""
        if known := readable(command or PauseCommand(by="signal"), PauseCommand):
            self._child.tell("resume", known)

    @workflow.signal(description="Sent by a service's own workflow, not by people")
    def service_reports(self, report: ServiceReport | None = None) -> None:
        """A child needs a person, or no longer does."""
        if known := readable(report, ServiceReport):
            self._reports.append(known)


def _not_told(rollback: RollbackWorkflow, service: ServicePlan) -> ServiceStatus:
    """A service as the parent knows it, without its child's steps."""
    return ServiceStatus(
        rollback=workflow.info().workflow_id,
        service=service.service,
        state=rollback._state,
        from_version=service.from_version,
        to_version=service.to_version,
        steps=(),
    )
