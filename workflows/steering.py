"""What people, services and the budget may send to a rollback. Handlers record and return."""

from temporalio import workflow

from workflows.admission import Admission
from workflows.approval import Approval
from workflows.branches import Branches
from workflows.control import Control
from workflows.fleet import Fleet
from workflows.messages import readable
from workflows.wave import Waves

with workflow.unsafe.imports_passed_through():
    from rollback_manager.contract import (
        AbortCommand,
        Answered,
        Decision,
        PauseCommand,
        RollbackRequest,
        StepCommand,
        Vote,
    )
    from rollback_manager.fleet.budget import Word
    from rollback_manager.progress import ServiceReport


class Steering:
    """The messages of a rollback, and the objects that they are kept in until `run` reads them."""

    def __init__(self, request: RollbackRequest) -> None:
        self._request = request
        self._control = Control()
        self._approval = Approval()
        self._admission = Admission(request, self._control)
        self._fleet = Fleet(self._control, request.services)
        self._waves = Waves(self._fleet, self._control)
        self._branches = Branches(request, self._control, self._waves.halted, self._at_part)
        self._reports: list[ServiceReport] = []
        self._commands: list[str] = []

    def _at_part(self, words: str) -> None:
        """What the rollback shows while its parts are at work; the workflow knows how."""

    def _tell(self, name: str, command: AbortCommand | PauseCommand) -> None:
        self._fleet.tell(name, command)
        self._branches.tell(name, command)

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
        """Stop at the next safe point; with mode `restore`, then put back what was there before.

        Services that have ended stay as they are; those that are not begun end untouched.
        """
        if known := readable(command or AbortCommand(by="signal"), AbortCommand):
            self._control.record(known)
            self._approval.close("it was aborted")  # a vote that comes after it is late
            self._tell("abort", known)

    @workflow.signal(description="Finish the step under way, then wait")
    def pause(self, command: PauseCommand | None = None) -> None:
        """Finish the step under way, then wait."""
        if known := readable(command or PauseCommand(by="signal"), PauseCommand):
            self._tell("pause", known)

    @workflow.signal(description="Go on after a pause")
    def resume(self, command: PauseCommand | None = None) -> None:
        """Go on after a pause."""
        if known := readable(command or PauseCommand(by="signal"), PauseCommand):
            self._tell("resume", known)

    @workflow.update(description="Try those of the wave that are not well once more")
    def retry_step(self, command: StepCommand) -> Answered:
        """Try those services of the wave that waits once more that are not rolled back and well."""
        return self._take("retry_step", command)

    @retry_step.validator
    def _may_retry(self, command: StepCommand) -> None:
        self._waves.halted.check(command)

    @workflow.update(description="Go on with the next wave")
    def skip_step(self, command: StepCommand) -> Answered:
        """Leave the wave that waits as it is, and go on with the next one."""
        return self._take("skip_step", command)

    @skip_step.validator
    def _may_skip(self, command: StepCommand) -> None:
        self._waves.halted.check(command)

    @workflow.signal(name="retry_step")
    def retry_step_signal(self, command: StepCommand | None = None) -> None:
        """The update's twin, stored while no worker runs; counts if that wave waits then."""
        if known := readable(command, StepCommand):
            self._take("retry_step", known)

    @workflow.signal(name="skip_step")
    def skip_step_signal(self, command: StepCommand | None = None) -> None:
        """The update's twin, stored while no worker runs; counts if that wave waits then."""
        if known := readable(command, StepCommand):
            self._take("skip_step", known)

    def _take(self, verb: str, command: StepCommand) -> Answered:
        answer = self._waves.halted.take(verb, command)
        if answer.applied:
            self._commands.append(f"{verb} {command.step} by {command.by}: {command.reason}")
        return answer

    @workflow.signal(description="Sent by the environment's budget, not by people")
    def budget_answers(self, word: Word | None = None) -> None:
        """It may begin, is held, or was dismissed."""
        if known := readable(word, Word):
            self._admission.hear(known)

    @workflow.signal(description="Sent by a service's own workflow, not by people")
    def service_reports(self, report: ServiceReport | None = None) -> None:
        """A child needs a person, or no longer does."""
        known = readable(report, ServiceReport)
        if known and known.service in self._request.services:
            self._reports.append(known)
