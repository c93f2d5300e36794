"""Who may agree, until when, and what silence means. Whether a vote counts is judged here alone."""

from datetime import datetime, timedelta

from rollback_manager.contract import Answered, Decision, Vote
from rollback_manager.plan import quotes, short
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.values import Value


class Ballot(Value):
    """What a vote is judged against: the frozen plan, and what was decided already."""

    digest: str
    opened_at: datetime
    policy: ApprovalPolicy
    decided: Decision | None = None
    closed_because: str = ""

    @property
    def deadline(self) -> datetime:
        """When silence becomes what the policy says."""
        return self.opened_at + timedelta(seconds=self.policy.deadline_s)


def judge_vote(vote: Vote, ballot: Ballot, now: datetime) -> Answered:
    """Whether the vote counts; if not, why, in words for the person who voted."""
    if ballot.closed_because:
        return _ignored(ballot.closed_because)
    if ballot.decided is not None:
        return _ignored(f"it was decided before: {ballot.decided}")
    if not vote.by.strip():
        return _ignored("a vote needs a name")
    if not quotes(vote.plan, ballot.digest):
        return _ignored(
            f"the vote quotes plan {short(vote.plan)}, this is plan {short(ballot.digest)}"
        )
    if now > ballot.deadline:
        return _ignored(f"the deadline was {ballot.deadline:%H:%M:%SZ}")
    return Answered(applied=True, because=f"counted for plan {short(ballot.digest)}")


def _ignored(because: str) -> Answered:
    return Answered(applied=False, because=because)
