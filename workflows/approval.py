"""Waiting for people: an object that the workflow owns. It counts votes in their order."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.control import Control
from workflows.proof import Proof

with workflow.unsafe.imports_passed_through():
    from rollback_manager.approval import ONE_VOTE, Ballot, Judged, judge_vote, with_vote
    from rollback_manager.authority.people import Person
    from rollback_manager.authority.proving import question
    from rollback_manager.calling import called, next_call
    from rollback_manager.contract import Answered, Decision, Vote
    from rollback_manager.fleet.tree import Tree
    from rollback_manager.plan import RollbackPlan
    from rollback_manager.progress import DecisionRecord

MOST_KEPT = 100
"""Votes; ignored ones beyond are left out of status and outcome, which a flood would burst."""

A_MOMENT = timedelta(milliseconds=1)


class Approval:
    """A plan's approval: pending, then approved, rejected or expired. The first terminal wins."""

    def __init__(self, proof: Proof, requesters: tuple[str, ...]) -> None:
        self._proof, self._requesters = proof, requesters
        self._asked = 0
        self.ballot: Ballot | None = None
        self.records: list[DecisionRecord] = []

    @property
    def decided(self) -> Decision | None:
        """What was decided, if anything was."""
        return self.ballot.decided if self.ballot else None

    def open(self, plan: RollbackPlan | Tree) -> None:
        """Votes count from now on, for this plan alone."""
        run = workflow.info().first_execution_run_id
        self._asked += 1  # the same plan once more is another question: no vote counts for both
        self.ballot = Ballot(
            digest=plan.digest,
            opened_at=workflow.now(),
            policy=plan.approval,
            quorum=plan.quorum or ONE_VOTE,
            seal=self._proof.seal,
            nonce=question(run, f"approval of {plan.digest}", self._asked),
            requesters=self._requesters,
        )

    def close(self, because: str) -> None:
        """No vote counts from now on."""
        if self.ballot is not None and self.ballot.decided is None:
            self.ballot = self.ballot.model_copy(update={"closed_because": because})

    def check(self, decision: Decision, vote: Vote) -> None:
        """The validator: refuses, in words, what would not count."""
        answer = self._judge(decision, vote).answer
        if not answer.applied:
            raise ApplicationError(answer.because, type="VoteIgnored", non_retryable=True)

    def cast(self, decision: Decision, vote: Vote) -> Answered:
        """Record the vote; those that count decide together."""
        judged = self._judge(decision, vote)
        if judged.answer.applied and self.ballot is not None:
            self.ballot = with_vote(self.ballot, decision, judged.by)
            self._proof.use(judged.jti)
        if judged.answer.applied or len(self.records) < MOST_KEPT:  # else in history alone
            self.records.append(_record(decision, vote, judged))
        return judged.answer

    async def wait(
        self, control: Control, pointless: Callable[[], bool], tell: Callable[[], None]
    ) -> bool:
        """Until it is decided or aborted, or is pointless. False: nobody did in time.

        tell: called whenever people are to be told again; `ballot` says why.
        """
        deadline = self.ballot.deadline if self.ballot else workflow.now()
        while True:
            call = next_call(self.ballot) if self.ballot else None
            in_time = await control.until(
                lambda: self.decided is not None or pointless(),
                timeout=max((call.at if call else deadline) - workflow.now(), A_MOMENT),
                summary=f"waiting for approval until {deadline:%H:%M:%SZ}",
            )
            if in_time or call is None or self.ballot is None:
                break
            self.ballot = called(self.ballot, call)
            tell()
        if self.decided is not None and control.abort is None:
            # The SDK lets signals take effect before a native cancel of the same workflow task.
            await control.until(lambda: False, timeout=A_MOMENT, summary="a cancel would win")
        return in_time

    def _judge(self, decision: Decision, vote: Vote) -> Judged:
        if self.ballot is None:
            because = "nothing waits for an approval"
            by = Person(subject=vote.by, method=vote.method)
            return Judged(answer=Answered(applied=False, because=because), by=by)
        return judge_vote(vote, self.ballot, workflow.now(), decision, self._proof.used)


def _record(decision: Decision, vote: Vote, judged: Judged) -> DecisionRecord:
    return DecisionRecord(
        decision=decision,
        by=judged.by.subject,
        method=judged.by.method,
        reason=vote.reason,
        at=workflow.now(),
        counted=judged.answer.applied,
        because=judged.answer.because,
        signed=bool(judged.jti),
        jti=judged.jti,
    )
