"""One service goes back. The plan is data; this interprets it. Its workflow id is the lock."""

import asyncio
from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ApplicationError

from workflows.control import Control, is_abort
from workflows.course import Course
from workflows.halt import Halt
from workflows.messages import readable
from workflows.options import A_DAY, A_MINUTE
from workflows.proof import Proof
from workflows.reporting import Milestones
from workflows.short import FAILED, short
from workflows.steps import Steps
from workflows.undo import Undo, seals

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.records import Claimed, Closing, Observed, Opening, Question, RecordActivities
    from rollback_manager.claim import Purpose, took_over
    from rollback_manager.conclusion import service_outcome
    from rollback_manager.contract import (
        SERVICE_WORKFLOW,
        AbortCommand,
        AbortMode,
        Answered,
        PauseCommand,
        ServiceRollback,
        StepCommand,
    )
    from rollback_manager.progress import (
        Found,
        ServiceOutcome,
        ServiceReport,
        ServiceStatus,
        State,
        StepRecord,
        StepState,
        StepStatus,
    )
    from rollback_manager.rendering import web_ui

STATE = SearchAttributeKey.for_keyword("RollbackState")


@workflow.defn(
    name=SERVICE_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class ServiceRollbackWorkflow:
    """Carries out one service's phases; pause, abort, retry, skip and undo."""

    @workflow.init
    def __init__(self, request: ServiceRollback) -> None:
        self._request = request
        self._control = Control()
        self._steps = Steps(request, self._control)
        self._go = request.go
        self._went_at: datetime | None = None
        self._state = State.RUNNING if request.go else State.WAITING_FOR_APPROVAL
        self._waits_for = "" if request.go else "the approval of the plan"
        self._proof = Proof(request.seal, request.digest)
        self._commands: list[str] = []
        self._halted = Halt(self._proof, self._commands)
        self._undo = Undo()
        self._course = Course(
            request.plan,
            self._steps,
            self._undo,
            self._checkpoint,
            self._ask,
            self._halted.note,
        )
        self._milestones = Milestones(self._steps.statuses, tells=request.tells)

    @workflow.run
    async def run(self, request: ServiceRollback) -> ServiceOutcome:
        """The steps in order; then, whatever happened, what the world looks like."""
        if workflow.info().parent is None:  # else anybody's plan would be carried out
            raise ApplicationError(
                "only a rollback carries out the plan of a service: nothing was touched",
                type="Blocked",
                non_retryable=True,
            )
        await self._claim()
        try:
            await self._control.until(lambda: self._go)
            await self._forward()
        except ApplicationError as error:
            if not is_abort(error):
                raise
            if self._restores():
                await self._restore()
            await self._seal()
        outcome = await self._close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    async def _claim(self) -> None:
        opening = Opening(
            env=self._request.env,
            rollback=self._request.rollback,
            service=self._request.plan.service,
            capacity=self._steps.first_capacity,
            purpose=Purpose.of(self._request.plan, self._request.digest),
            adopts=self._request.plan.adopts,
        )
        claimed: Claimed = await self._control.to_the_end(
            short(RecordActivities.claim, opening, patience=A_DAY, summary="claim, epoch")
        )
        self._steps.claimed(claimed)
        self._commands += took_over(opening.adopts, claimed.epoch, claimed.above)

    async def _forward(self) -> None:
        await self._course.run()
        if self._control.abort is not None:  # during the last step: restore is still to be done
            await self._checkpoint()

    async def _checkpoint(self) -> None:
        if self._control.paused and self._control.abort is None:
            self._move(State.PAUSED, "resume")
        await self._control.checkpoint()
        self._went_at = self._went_at or workflow.now()
        self._move(State.RUNNING, "")
        if reached := self._milestones.new():
            self._reporting = asyncio.create_task(self._report("", reached))  # nothing waits for it

    async def _ask(self, number: int, record: StepRecord) -> str:
        """Halt until a person says retry or skip; an abort ends it at the next checkpoint."""
        await self._halt(number, record)
        await self._control.until(self._halted.is_answered)
        return await self._answered()

    async def _halt(self, number: int, record: StepRecord) -> None:
        words = self._halted.open(self._steps.actions[number].name, record)
        self._move(State.NEEDS_HUMAN, words)
        workflow.upsert_search_attributes([STATE.value_set(str(State.NEEDS_HUMAN))])
        await self._report(words, self._milestones.new())
        await self._seal()  # a person may take minutes

    async def _answered(self) -> str:
        verb = self._halted.close()
        self._move(State.RUNNING, "")
        workflow.upsert_search_attributes([STATE.value_set(str(State.RUNNING))])
        await self._report("")
        return verb

    async def _report(self, words: str, steps: tuple[StepStatus, ...] = ()) -> None:
        """Tell the parent, so that its own page and search attribute say so too."""
        parent = workflow.info().parent
        if parent is None:
            return
        service, word = self._request.plan.service, self._request.seal.word
        report = ServiceReport(service=service, waits_for=words, word=word, steps=steps)
        handle = workflow.get_external_workflow_handle(parent.workflow_id)
        try:
            await self._control.to_the_end(handle.signal("service_reports", report))
        except ApplicationError:
            workflow.logger.warning("the parent is gone; this service goes on alone")

    def _restores(self) -> bool:
        abort = self._control.abort
        return abort is not None and abort.mode is AbortMode.RESTORE

    async def _restore(self) -> None:
        """Undo in reverse, each behind its guard; what fails waits for a person or a hold."""
        for undo in self._undo.actions():
            self._move(State.RESTORING, "")
            number = self._steps.append(undo)
            while self._restores():
                record = await self._steps.attempt(number, cut=False, undoes=True)
                if record.state is StepState.DONE:
                    break
                await self._halt(number, record)
                await self._control.to_the_end(
                    workflow.wait_condition(
                        lambda: self._halted.is_answered() or not self._restores()
                    )
                )
                if await self._answered() == "skip_step":
                    break

    async def _seal(self) -> None:
        """No write that was given up changes anything any more."""
        loose = self._steps.loose
        found = await self._find() if loose else None
        actions = tuple(seals(loose, found, self._request.plan)) if found else ()
        for action in actions:
            number = self._steps.append(action)
            record = await self._steps.attempt(number, cut=False, undoes=True)
            if record.state is not StepState.DONE:
                return  # tried again at the next halt, and at the end
        if actions:
            self._steps.sealed()

    async def _close(self) -> ServiceOutcome:
        """Declare what is found, not what was meant; keep it; give the claim back."""
        abort = self._control.abort  # a later one finds nothing left to stop
        outcome = service_outcome(
            self._request.plan,
            found=await self._find(),
            steps=tuple(self._steps.records),
            abort=abort,
            halts=tuple(self._halted.log),
            version=self._course.version,
            commands=tuple(self._commands),
            epoch=self._steps.epoch,
        ).model_copy(update={"ignored": tuple(self._proof.ignored)})
        closing = Closing(
            env=self._request.env,
            rollback=self._request.rollback,
            plan=self._request.plan.model_copy(update={"phases": ()}),
            outcome=outcome,
            traffic_back_s=self._since_go(self._steps.traffic_back_at()),
            verified_s=self._since_go(self._steps.verified_at()),
        )
        await self._control.to_the_end(
            short(
                RecordActivities.close_service,
                closing,
                patience=A_DAY,
                summary=f"{outcome.end}: keep the outcome, give the claim back",
            )
        )
        self._move(State.FINISHED, "")
        return outcome

    async def _find(self) -> Found | None:
        question = Question(env=self._request.env, service=self._request.plan.service)
        try:
            seen: Observed = await self._control.to_the_end(
                short(
                    RecordActivities.observe,
                    question,
                    patience=A_MINUTE,
                    summary="what is found at the end",
                )
            )
        except FAILED:
            return None  # declared as unknown, which asks for a person
        return seen.found

    def _since_go(self, at: datetime | None) -> float | None:
        if at is None or self._went_at is None:
            return None
        return max(0.0, (at - self._went_at).total_seconds())

    def _move(self, state: State, waits_for: str) -> None:
        self._state, self._waits_for = state, waits_for
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(web_ui.service_details(self.status()))

    @workflow.query
    def status(self) -> ServiceStatus:
        """Where this service is."""
        plan = self._request.plan
        return ServiceStatus(
            rollback=self._request.rollback,
            service=plan.service,
            state=self._state,
            from_version=plan.from_version,
            to_version=plan.to_version,
            steps=tuple(self._steps.statuses),
            waits_for=self._waits_for,
            found=self._steps.last_found,
            nonce=self._halted.nonce,
        )

    @workflow.signal(description="Sent by the rollback's own workflow once the plan is approved")
    def go(self, word: str = "") -> None:
        """The plan is approved: begin. Where decisions are signed, only its parent says so.

        Elsewhere an argument, as the Web UI may send, means nothing.
        """
        seal = self._request.seal
        self._go = self._go or not seal.keys or word == seal.word

    @workflow.signal(description="Stop at the next safe point; mode restore puts back what was")
    def abort(self, command: AbortCommand | None = None) -> None:
        """Stop at the next safe point; with mode `restore`, then put back what was there before."""
        said = readable(command or AbortCommand(by="signal"), AbortCommand)
        if said and (known := self._proof.taken("abort", said)):
            self._commands.append(f"abort {known.mode} by {known.by}: {known.reason}")
            self._control.record(known)

    @workflow.signal(description="Finish the step under way, then wait")
    def pause(self, command: PauseCommand | None = None) -> None:
        """Finish the step under way, then wait."""
        said = readable(command or PauseCommand(by="signal"), PauseCommand)
        if said and (known := self._proof.taken("pause", said)):
            self._commands.append(f"pause by {known.by}")
            self._control.paused = True

    @workflow.signal(description="Go on after a pause")
    def resume(self, command: PauseCommand | None = None) -> None:
        """Go on after a pause."""
        said = readable(command or PauseCommand(by="signal"), PauseCommand)
        if said and (known := self._proof.taken("resume", said)):
            self._commands.append(f"resume by {known.by}")
            self._control.paused = False

    @workflow.update(description="Try the step that waits again")
    def retry_step(self, command: StepCommand) -> Answered:
        """Try the step that waits again."""
        return self._halted.take("retry_step", command)

    @retry_step.validator
    def _may_retry(self, command: StepCommand) -> None:
        self._halted.check("retry_step", command)

    @workflow.update(description="Go on without the step that waits")
    def skip_step(self, command: StepCommand) -> Answered:
        """Go on without the step that waits."""
        return self._halted.take("skip_step", command)

    @skip_step.validator
    def _may_skip(self, command: StepCommand) -> None:
        self._halted.check("skip_step", command)

    @workflow.signal(name="retry_step")
    def retry_step_signal(self, command: StepCommand | None = None) -> None:
        """The update's twin, stored while no worker runs; counts if that step waits then."""
        if known := readable(command, StepCommand):
            self._halted.take("retry_step", known)

    @workflow.signal(name="skip_step")
    def skip_step_signal(self, command: StepCommand | None = None) -> None:
        """The update's twin, stored while no worker runs; counts if that step waits then."""
        if known := readable(command, StepCommand):
            self._halted.take("skip_step", known)
