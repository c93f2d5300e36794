"""What people, services and the budget may send to a rollback. Handlers record and return."""

from temporalio import workflow

from workflows.admission import Admission
from workflows.approval import Approval
from workflows.branches import Branches
from workflows.control import Control
from workflows.fleet import Fleet
from workflows.halt import Halt
from workflows.messages import readable
from workflows.proof import Proof
from workflows.wave import Waves

with workflow.unsafe.imports_passed_through():
    from rollback_manager.authority.keys import Aim, Seal, VerifyKey
    from rollback_manager.authority.token import audience
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
    from rollback_manager.fleet.tree import Tree
    from rollback_manager.plan import RollbackPlan
    from rollback_manager.progress import ServiceReport


class Steering:
    """The messages of a rollback, and the objects that they are kept in until `run` reads them."""

    def __init__(self, request: RollbackRequest) -> None:
        self._request = request
        self._control = Control()
        self._proof = Proof()
        self._early: list[tuple[str, AbortCommand | PauseCommand]] | None = []
        self._approval = Approval(self._proof, (request.requested_by, *request.behind))
        self._admission = Admission(request, self._control)
        self._fleet = Fleet(self._control, request.services)
        self._commands: list[str] = []
        self._waves = Waves(self._fleet, self._control, Halt(self._proof, self._commands))
        self._branches = Branches(request, self._control, self._waves.halted, self._at_part)
        self._reports: list[ServiceReport] = []

    def _at_part(self, words: str) -> None:
        """What the rollback shows while its parts are at work; the workflow knows how."""

    def _knows(self, planned: RollbackPlan | Tree) -> None:
        """Whose word counts is known with the plan: what was said before is judged now."""
        self._proof.seal, self._proof.plan = self._seal(planned.keys), planned.digest
        early, self._early = self._early or [], None
        for verb, command in early:
            self._obey(verb, command)

    def _seal(self, keys: tuple[VerifyKey, ...]) -> Seal:
        if not keys:
            return Seal()
        info = workflow.info()
        own = Aim(rid=info.workflow_id, run=info.first_execution_run_id)
        aims: tuple[Aim, ...] = (own,)
        if self._admission.is_part and info.parent is not None:
            first = self._request.first_run or info.parent.run_id  # not known to older builds
            aims = (own, Aim(rid=info.parent.workflow_id, run=first))
        aud = audience(self._request.env)
        return Seal(keys=keys, aud=aud, aims=aims, word=self._request.word)

    def _said(self, verb: str, command: AbortCommand | PauseCommand) -> None:
        if self._early is None:
            self._obey(verb, command)
        else:
            self._early.append((verb, command))

    def _obey(self, verb: str, command: AbortCommand | PauseCommand) -> None:
        known = self._proof.taken(verb, command)
        if known is None:
            return
        if isinstance(known, AbortCommand):
            self._control.record(known)
            self._approval.close("it was aborted")  # a vote that comes after it is late
        self._fleet.tell(verb, known)
        self._branches.tell(verb, known)

    @workflow.update(description="Approve the plan; quote its digest")
    def approve(self, vote: Vote) -> Answered:
        """Agree to the plan whose digest the vote quotes."""
        return self._approval.cast(Decision.APPROVE, vote)

    @approve.validator
    def _may_approve(self, vote: Vote) -> None:
        self._approval.check(Decision.APPROVE, vote)

    @workflow.update(description="Reject the plan; quote its digest")
    def reject(self, vote: Vote) -> Answered:
        """Refuse the plan whose digest the vote quotes."""
        return self._approval.cast(Decision.REJECT, vote)

    @reject.validator
    def _may_reject(self, vote: Vote) -> None:
        self._approval.check(Decision.REJECT, vote)

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
            self._said("abort", known)

    @workflow.signal(description="Finish the step under way, then wait")
    def pause(self, command: PauseCommand | None = None) -> None:
        """Finish the step under way, then wait."""
        if known := readable(command or PauseCommand(by="signal"), PauseCommand):
            self._said("pause", known)

    @workflow.signal(description="Go on after a pause")
    def resume(self, command: PauseCommand | None = None) -> None:
        """Go on after a pause."""
        if known := readable(command or PauseCommand(by="signal"), PauseCommand):
            self._said("resume", known)

    @workflow.update(description="Try those of the wave or part that are not well once more")
    def retry_step(self, command: StepCommand) -> Answered:
        """Try those of the wave or part that waits once more that are not rolled back and well."""
        return self._waves.halted.take("retry_step", command)

    @retry_step.validator
    def _may_retry(self, command: StepCommand) -> None:
        self._waves.halted.check("retry_step", command)

    @workflow.update(description="Go on with the next wave or part")
    def skip_step(self, command: StepCommand) -> Answered:
        """Leave the wave or part that waits as it is, and go on with the next one."""
        return self._waves.halted.take("skip_step", command)

    @skip_step.validator
    def _may_skip(self, command: StepCommand) -> None:
        self._waves.halted.check("skip_step", command)

    @workflow.signal(name="retry_step")
    def retry_step_signal(self, command: StepCommand | None = None) -> None:
        """The update's twin, stored while no worker runs; counts if that wave waits then."""
        if known := readable(command, StepCommand):
            self._waves.halted.take("retry_step", known)

    @workflow.signal(name="skip_step")
    def skip_step_signal(self, command: StepCommand | None = None) -> None:
        """The update's twin, stored while no worker runs; counts if that wave waits then."""
        if known := readable(command, StepCommand):
            self._waves.halted.take("skip_step", known)

    @workflow.signal(description="Sent by the environment's budget, not by people")
    def budget_answers(self, word: Word | None = None) -> None:
        """It may begin, is held, or was dismissed."""
        if known := readable(word, Word):
            self._admission.hear(known)

    @workflow.signal(description="Sent by a service's own workflow, not by people")
    def service_reports(self, report: ServiceReport | None = None) -> None:
        """A child needs a person, or no longer does."""
        known = readable(report, ServiceReport)
        if known and known.service in self._request.services and self._fleet.knows(known.word):
            self._reports.append(known)
