"""Who may agree, until when, and what silence means. Whether a vote counts is judged here alone."""

from collections.abc import Collection
from datetime import datetime, timedelta

from rollback_manager.authority.keys import Seal
from rollback_manager.authority.people import Person
from rollback_manager.authority.proving import proven
from rollback_manager.authority.quorum import Quorum
from rollback_manager.authority.token import BadToken, Dec
from rollback_manager.contract import Answered, Decision, Vote
from rollback_manager.plan import quotes, short
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.values import Count, Value

ONE_VOTE = Quorum(votes=1)
"""What plans of older builds ask for."""


class Ballot(Value):
    """What a vote is judged against: the frozen plan, and what was decided already.

    requesters: who asked for it. agreed: who has agreed so far, each a person of their own.
    reminded: how often. escalated: whether more people were told.
    """

    digest: str
    opened_at: datetime
    policy: ApprovalPolicy
    decided: Decision | None = None
    closed_because: str = ""
    quorum: Quorum = ONE_VOTE
    seal: Seal = Seal()
    nonce: str = ""
    requesters: tuple[str, ...] = ()
    agreed: tuple[Person, ...] = ()
    reminded: Count = 0
    escalated: bool = False

    @property
    def deadline(self) -> datetime:
        """When silence becomes what the policy says."""
        return self.opened_at + timedelta(seconds=self.policy.deadline_s)

    @property
    def stand(self) -> str:
        """How many of how many have agreed: `1 of 2`."""
        return f"{len(self.agreed)} of {self.quorum.votes}"


class Judged(Value):
    """Whether a vote counts, and whose it is: as signed, or else as it says itself."""

    answer: Answered
    by: Person
    jti: str = ""


def judge_vote(
    vote: Vote,
    ballot: Ballot,
    now: datetime,
    decision: Decision = Decision.APPROVE,
    used: Collection[str] = (),
) -> Judged:
    """Whether the vote counts; if not, why, in words for the person who voted.

    used: the jti of all decisions that counted before.
    """
    by, jti = Person(subject=vote.by, method=vote.method), ""
    because = _too_late(ballot)
    try:
        if not because and (signed := _signed(vote, ballot, decision, now, used)):
            by, jti = signed
    except BadToken as bad:
        because = bad.what
    because = because or _miscast(vote, ballot, now)
    if not because and decision is Decision.APPROVE:
        because = _not_a_further_one(by, ballot)
    if because:
        return Judged(answer=Answered(applied=False, because=because), by=by, jti=jti)
    counted = f"counted for plan {short(ballot.digest)}{_still(ballot, decision)}"
    return Judged(answer=Answered(applied=True, because=counted), by=by, jti=jti)


def with_vote(ballot: Ballot, decision: Decision, by: Person) -> Ballot:
    """The ballot after a vote that counted. One no is a no; a yes may need company."""
    if decision is Decision.REJECT:
        return ballot.model_copy(update={"decided": decision})
    agreed = (*ballot.agreed, by)
    decided = decision if len(agreed) >= ballot.quorum.votes else None
    return ballot.model_copy(update={"agreed": agreed, "decided": decided})


def _too_late(ballot: Ballot) -> str:
    if ballot.closed_because:
        return ballot.closed_because
    return f"it was decided before: {ballot.decided}" if ballot.decided is not None else ""


def _signed(
    vote: Vote, ballot: Ballot, decision: Decision, now: datetime, used: Collection[str]
) -> tuple[Person, str] | None:
    """Whose the vote is by its token, and its jti; None where nothing need be signed."""
    claims = proven(
        vote, ballot.seal, Dec(decision), now, used, plan=ballot.digest, nonce=ballot.nonce
    )
    if claims is None:
        return None
    person = Person(subject=claims.sub, groups=claims.groups, method=claims.act, factors=claims.amr)
    return person, claims.jti


def _miscast(vote: Vote, ballot: Ballot, now: datetime) -> str:
    if not vote.by.strip():
        return "a vote needs a name"
    if not quotes(vote.plan, ballot.digest):
        return f"the vote quotes plan {short(vote.plan)}, this is plan {short(ballot.digest)}"
    return f"the deadline was {ballot.deadline:%H:%M:%SZ}" if now > ballot.deadline else ""


def _not_a_further_one(by: Person, ballot: Ballot) -> str:
    """Why this yes adds nothing: it takes people who are not yet among those who agreed."""
    quorum = ballot.quorum
    if quorum.not_requester and by.subject in ballot.requesters:
        return f"{by.subject} asked for it: somebody else approves"
    if quorum.among and not by.is_among(quorum.among):
        return f"{by.subject} is none of {', '.join(quorum.among)}"
    if any(one.subject == by.subject for one in ballot.agreed):
        return f"{by.subject} has agreed already ({ballot.stand}): somebody else must, too"
    return _needs_others(by, ballot)


def _needs_others(by: Person, ballot: Ballot) -> str:
    """Why it would leave too few votes for those who must be among them."""
    agreed = (*ballot.agreed, by)
    left = ballot.quorum.votes - len(agreed)
    lack = [of for of in ballot.quorum.kinds if not any(one.is_among(of) for one in agreed)]
    if not lack or len(lack) <= left:
        return ""
    which = "the last one" if len(lack) == 1 else "those to come"
    return f"{ballot.stand}: {which} must be of {' and of '.join(map(', '.join, lack))}"


def _still(ballot: Ballot, decision: Decision) -> str:
    if decision is Decision.REJECT or ballot.quorum.votes < 2:
        return ""
    return f": {len(ballot.agreed) + 1} of {ballot.quorum.votes}"
