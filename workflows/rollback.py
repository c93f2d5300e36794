"""The whole rollback: plan → gates → approval → the services, wave by wave → conclusion."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.branches import concluded
from workflows.options import A_MINUTE
from workflows.service_rollback import STATE
from workflows.short import FAILED, short
from workflows.staying import look_after
from workflows.steering import Steering
from workflows.telling import Telling

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.glass import GlassActivities
    from activities.judgement import Conclusion, JudgementActivities
    from activities.planning import PlanningActivities
    from rollback_manager.authority.keys import Seal
    from rollback_manager.authority.origin import Origin
    from rollback_manager.calling import next_call
    from rollback_manager.contract import ROLLBACK_WORKFLOW, Decision, Planned, RollbackRequest
    from rollback_manager.fleet.tree import Tree, light
    from rollback_manager.glass import BreakGlass
    from rollback_manager.plan import RollbackPlan, ServicePlan, quotes
    from rollback_manager.plan import short as short_digest
    from rollback_manager.policy import ApprovalPolicy
    from rollback_manager.progress import (
        Result,
        RollbackOutcome,
        RollbackStatus,
        ServiceReport,
        ServiceStatus,
        State,
        StepStatus,
    )
    from rollback_manager.rendering import web_ui
    from rollback_manager.telling.saying import Saying, of_rollback


@workflow.defn(
    name=ROLLBACK_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class RollbackWorkflow(Steering):
    """Plans, asks whoever must be asked, lets the services' children work, and concludes."""

    @workflow.init
    def __init__(self, request: RollbackRequest) -> None:
        super().__init__(request)
        self._plan: RollbackPlan | None = None
        self._state = State.PLANNING
        self._waits_for = ""
        self._waiting: dict[str, str] = {}
        self._reached: dict[str, list[StepStatus]] = {}
        self._telling = Telling(self._to_say)
        self._outcome: RollbackOutcome | None = None

    @workflow.run
    async def run(self, request: RollbackRequest) -> RollbackOutcome:
        """From "this release is bad" to an outcome with its evidence."""
        planned = await self._make_plan()
        refused = None
        if planned.plan is not None and self._admission.must_be_asked:
            self._plan = planned.plan
            refused = await self._admission.refused(planned.plan, self._hold)
            if refused is None and self._admission.was_held:
                planned = await self._make_plan()  # the other one is old by now
        if planned.parts:
            self._outcome = await self._in_parts(planned)
        else:
            self._outcome = refused or await self._carry_out(planned)
        self._move(State.FINISHED)
        if not_told := await self._control.to_the_end(self._telling.end()):
            self._outcome = self._outcome.model_copy(update={"not_told": not_told})
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._outcome

    async def _in_parts(self, planned: Planned) -> RollbackOutcome:
        """More services than one plan can hold: agreed to once, carried out part by part."""
        if refusal := await self._branches.seal(planned.parts):
            return self._without_plan(refusal)
        tree = self._branches.tree
        if tree is None:
            raise RuntimeError("the parts were not sealed")
        self._knows(tree)
        expected = self._request.expect_plan
        if expected is not None and not quotes(expected, tree.digest):
            stale = f"the plan is {short_digest(tree.digest)} now, not {short_digest(expected)}"
            return self._nothing_done(Result.STALE_PLAN, stale, "", "Look again, then start anew.")
        refused = await self._agreed(tree)
        ended = [] if refused else await self._branches.run(tree, self._agreed)
        self._approval.close("the rollback is over")
        if self._control.abort is not None and not refused:
            refused = Result.ABORTED
        return await concluded(tree, ended, refused, self._control)

    async def _agreed(self, tree: Tree, about: str = "") -> Result | None:
        """Ask people where they must be asked. about: in words, what of a whole that runs."""
        refused = None
        if about:
            self._knows(tree)  # what is signed from now on quotes this plan
            self._branches.tree = tree
        if tree.approval.required:
            self._approval.open(tree)
            refused = await self._ask(tree.approval, about)
        self._move(State.RUNNING)
        return refused

    async def _make_plan(self) -> Planned:
        work = short(
            PlanningActivities.plan_rollback,
            self._request.model_copy(update={"origin": self._origin()}),
            patience=A_MINUTE,
            summary="plan, gates",
        )
        planned: Planned = await self._control.to_the_end(work)
        if planned.plan is not None:
            self._knows(planned.plan)
        return planned

    def _origin(self) -> Origin:
        """What is known here of this start, and is not the caller's to say."""
        info = workflow.info()
        return Origin(
            rollback=info.workflow_id,
            run=info.run_id,
            parent=info.parent.workflow_id if info.parent else "",
            at=info.workflow_start_time,
        )

    def _at_part(self, words: str) -> None:
        at_work = State.RUNNING if self._branches.tree else State.PLANNING
        self._move(State.NEEDS_HUMAN if self._waves.halted.is_open() else at_work, words)

    def _hold(self, words: str) -> None:
        self._move(State.HELD, words)

    async def _carry_out(self, planned: Planned) -> RollbackOutcome:
        plan = planned.plan
        if plan is None:
            return self._without_plan(planned)
        self._plan = plan
        if plan.break_glass and (refusal := await self._break_glass(plan)):
            return refusal
        asks = plan.approval.required and not self._admission.is_part
        if asks:
            self._approval.open(plan)
        at_once = len(plan.services) == 1 and not asks and not self._fleet.is_to_be_told()
        try:
            await self._fleet.lock(plan, self._for_services(), go=at_once)
        except WorkflowAlreadyStartedError as error:
            return self._blocked_by(error.workflow_id)
        await self._admission.count()
        self._waves.open(plan.waves, planned.width)
        refused = await self._ask(plan.approval) if asks else None
        if refused is None:
            await self._waves.begin()
            self._move(State.RUNNING)
        await self._follow()
        self._approval.close("the rollback is over")
        return await self._conclude(plan, refused)

    def _for_services(self) -> Seal:
        """What those must prove who steer a service; its word is known to no other rollback."""
        seal = self._proof.seal
        word = str(workflow.uuid4()) if seal.keys else ""
        return seal.model_copy(update={"word": word})

    async def _break_glass(self, plan: RollbackPlan) -> RollbackOutcome | None:
        """The review is opened before anything is touched; where it cannot be, nothing is."""
        broken = BreakGlass(
            rollback=workflow.info().workflow_id,
            env=plan.env,
            services=self._request.services,
            by=plan.break_glass,
            incident=self._request.incident,
            reason=self._request.reason,
        )
        try:
            work = short(
                GlassActivities.break_glass, broken, patience=A_MINUTE, summary="open the review"
            )
            await self._control.to_the_end(work)
        except FAILED as error:
            because = f"the review of this break-glass cannot be opened: {error.cause or error}"
            by_hand = f"rollback-manager plan {' '.join(self._request.services)} --as-commands"
            return self._nothing_done(Result.BLOCKED, because, "", f"By hand: {by_hand}")
        return None

    async def _ask(self, policy: ApprovalPolicy, about: str = "") -> Result | None:
        """None: approved, or there is nothing left to approve. Otherwise why nothing begins."""
        self._move(State.WAITING_FOR_APPROVAL, about)
        in_time = await self._approval.wait(self._control, self._fleet.any_done, self._show)
        decided = self._approval.decided
        if self._control.abort is not None:  # abort wins ties
            self._approval.close("it was aborted")
            return None
        if self._fleet.any_done():  # by a cancel of its own: that is not the plan any more
            self._approval.close("its service has ended")
            await self._begin_nothing("a service has ended", "before the plan was approved")
            return None
        if decided is Decision.APPROVE:
            return None
        by = "nobody in time" if not in_time else "a vote"
        self._approval.close("the deadline has passed")
        await self._begin_nothing(by, "not approved")
        if in_time:
            return Result.REJECTED
        reject = policy.on_expiry == "reject"
        return Result.REJECTED if reject else Result.EXPIRED

    async def _begin_nothing(self, by: str, reason: str) -> None:
        self._waves.close()
        await self._fleet.stop(by, reason)

    async def _follow(self) -> None:
        """Begin what may begin and pass on what people say, until every service has ended."""
        while not self._fleet.done():
            try:
                await workflow.wait_condition(lambda: self._fleet.done() or self._has_news())
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise
            await self._fleet.pass_on()
            while self._reports:
                self._take_report(self._reports.pop(0))
            if (asked := await self._waves.go_on()) is not None:
                self._hear("", asked)
            if not self._fleet.done() and (gone := self._gone()):
                self._hear(gone[0], "")

    def _take_report(self, report: ServiceReport) -> None:
        self._reached.setdefault(report.service, []).extend(report.steps)
        if report.waits_for or report.service in self._waiting or not report.steps:
            self._hear(report.service, report.waits_for)

    def _has_news(self) -> bool:
        told = bool(self._reports) or self._fleet.is_to_be_told()
        return told or self._waves.has_moved() or bool(self._gone())

    def _gone(self) -> list[str]:
        """Services that were waiting for a person when they ended."""
        return [one for one in self._waiting if one and self._fleet[one].done()]

    def _hear(self, service: str, words: str) -> None:
        """A service, or a wave, waits for a person; or no longer does."""
        for one in [service, *self._gone()]:
            self._waiting.pop(one, None)
        if words:
            self._waiting[service] = words
        several = len(self._waiting) > 1
        told = (
            f"{one}: {text}" if one and several else text for one, text in self._waiting.items()
        )
        self._move(State.NEEDS_HUMAN if self._waiting else State.RUNNING, "; ".join(told))

    async def _conclude(self, plan: RollbackPlan, refused: Result | None) -> RollbackOutcome:
        """The gates during, after and of completion; judged in an activity."""
        info = workflow.info()
        conclusion = Conclusion(
            rollback=info.workflow_id,
            plan=plan,
            services=await self._fleet.outcomes(service.service for service in plan.services),
            decisions=tuple(self._approval.records),
            refused=refused,
            seconds=(workflow.now() - info.start_time).total_seconds(),
            halts=tuple(self._waves.halted.log),
            commands=tuple(self._commands),
        )
        outcome: RollbackOutcome = await self._control.to_the_end(
            short(
                JudgementActivities.conclude,
                conclusion,
                patience=A_MINUTE,
                summary="gates during, after, of completion",
            )
        )
        outcome = outcome.model_copy(update={"ignored": tuple(self._proof.ignored)})
        await look_after(self._control, plan, conclusion.services, self._telling.references)
        return light(outcome) if self._admission.is_part else outcome

    def _without_plan(self, planned: Planned) -> RollbackOutcome:
        result = Result.STALE_PLAN if planned.error == "StalePlan" else Result.BLOCKED
        return self._nothing_done(
            result, planned.blocked_because, planned.effect, planned.next_step
        )

    def _blocked_by(self, holder: str) -> RollbackOutcome:
        service = holder.rpartition("/")[2]
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
        if self._plan is not None:
            self._telling.begin(self._plan.env, self._plan.channels)

    def _to_say(self) -> Saying:
        return of_rollback(self.status(), self._plan, self._request.incident)

    @workflow.query
    def status(self) -> RollbackStatus:
        """Where the rollback is; each service's own steps are its child's to tell."""
        plan, ballot = self._plan, self._approval.ballot
        planned = plan or self._branches.tree
        waiting = self._state is State.WAITING_FOR_APPROVAL
        return RollbackStatus(
            rollback=workflow.info().workflow_id,
            env=self._request.env,
            state=self._state,
            digest=ballot.digest if ballot else planned.digest if planned else "",
            requested_by=self._request.requested_by,
            reason=self._request.reason,
            incident=self._request.incident,
            waits_for=": ".join(filter(None, ["approve or reject" * waiting, self._waits_for])),
            deadline=ballot.deadline if ballot and waiting else None,
            services=tuple(self._told(plan, one) for one in plan.services) if plan else (),
            decisions=tuple(self._approval.records),
            outcome=self._outcome,
            security=plan.security if plan else "local",
            first_run=workflow.info().first_execution_run_id,
            **self._authority(),
        )

    def _authority(self) -> dict[str, Any]:
        """Who is asked, how many have agreed, and what did not count."""
        planned, ballot = self._plan or self._branches.tree, self._approval.ballot
        quorum = planned.quorum if planned else None
        open_ = ballot if self._state is State.WAITING_FOR_APPROVAL else None
        call = next_call(open_) if open_ else None
        return {
            "nonce": open_.nonce if open_ else self._waves.halted.nonce,
            "tier": planned.tier if planned else None,
            "tier_because": self._plan.tier_because if self._plan else "",
            "quorum": ballot.stand if ballot else "",
            "break_glass": self._plan.break_glass if self._plan else "",
            "quorum_because": quorum.because if quorum else "",
            "escalated": ballot.escalated if ballot else False,
            "reminded": ballot.reminded if ballot else 0,
            "asked_again_at": call.at if call else None,
            "ignored": tuple(self._proof.ignored),
        }

    @workflow.query
    def plan(self) -> RollbackPlan | None:
        """The plan, as it was frozen."""
        return self._plan

    def _told(self, plan: RollbackPlan, service: ServicePlan) -> ServiceStatus:
        """A service as the parent knows it, without its child's steps."""
        child, waits_for, state = self._fleet[service.service], "", self._state
        if len(plan.services) > 1 and state in {State.RUNNING, State.NEEDS_HUMAN}:
            waits_for = self._waiting.get(service.service, "")
            state = State.NEEDS_HUMAN if waits_for else State.RUNNING
            if child.done():
                state, waits_for = State.FINISHED, ""
            elif not child.begun:
                wave = self._waves.number_of(service.service)
                state, waits_for = State.WAITING_FOR_ITS_WAVE, f"wave {wave}"
        return ServiceStatus(
            rollback=workflow.info().workflow_id,
            service=service.service,
            state=state,
            from_version=service.from_version,
            to_version=service.to_version,
            steps=tuple(self._reached.get(service.service, ())),
            waits_for=waits_for,
        )
