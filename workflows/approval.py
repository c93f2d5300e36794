"""Waiting for people: an object that the workflow owns. It counts votes in their order."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.control import Control

with workflow.unsafe.imports_passed_through():
    from rollback_manager.approval import Ballot, judge_vote
    from rollback_manager.contract import Answered, Decision, Vote
    from rollback_manager.fleet.tree import Tree
    from rollback_manager.plan import RollbackPlan
    from rollback_manager.progress import DecisionRecord

MOST_KEPT = 100
"""Votes; ignored ones beyond are left out of status and outcome, which a flood would burst."""

A_MOMENT = timedelta(milliseconds=1)


class Approval:
    """One plan's approval: pending, then approved, rejected or expired. The first terminal wins."""

    def __init__(self) -> None:
        self.ballot: Ballot | None = None
        self.records: list[DecisionRecord] = []

    @property
    def decided(self) -> Decision | None:
        """What was decided, if anything was."""
        return self.ballot.decided if self.ballot else None

    def open(self, plan: RollbackPlan | Tree) -> None:
        """Votes count from now on, for this plan alone."""
        self.ballot = Ballot(digest=plan.digest, opened_at=workflow.now(), policy=plan.approval)

    def close(self, because: str) -> None:
        """No vote counts from now on."""
        if self.ballot is not None and self.ballot.decided is None:
            self.ballot = self.ballot.model_copy(update={"closed_because": because})

    def check(self, vote: Vote) -> None:
        """The validator: refuses, in words, what would not count."""
        answer = self._judge(vote)
        if not answer.applied:
            raise ApplicationError(answer.because, type="VoteIgnored", non_retryable=True)

    def cast(self, decision: Decision, vote: Vote) -> Answered:
        """Record the vote; the first one that counts decides."""
        answer = self._judge(vote)
        if answer.applied and self.ballot is not None:
            self.ballot = self.ballot.model_copy(update={"decided": decision})
        if not answer.applied and len(self.records) >= MOST_KEPT:
            return answer  # it stands in history alone
        self.records.append(
            DecisionRecord(
                decision=decision,
                by=vote.by,
                method=vote.method,
                reason=vote.reason,
                at=workflow.now(),
                counted=answer.applied,
                because=answer.because,
            )
        )
        return answer

    async def wait(self, control: Control, pointless: Callable[[], bool]) -> bool:
        """Until somebody decides or aborts, or it is pointless. False: nobody did in time."""
        deadline = self.ballot.deadline if self.ballot else workflow.now()
        in_time = await control.until(
            lambda: self.decided is not None or pointless(),
            timeout=max(deadline - workflow.now(), A_MOMENT),
            summary=f"waiting for approval until {deadline:%H:%M:%SZ}",
        )
        if self.decided is not None and control.abort is None:
            # The SDK lets signals take effect before a native cancel of the same workflow task.
            await control.until(lambda: False, timeout=A_MOMENT, summary="a cancel would win")
        return in_time

    def _judge(self, vote: Vote) -> Answered:
        if self.ballot is None:
            return Answered(applied=False, because="nothing waits for an approval")
        return judge_vote(vote, self.ballot, workflow.now())
