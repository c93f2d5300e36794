"""How many people agree to a plan, who counts, and when they are asked again. Pure."""

from collections.abc import Iterable, Sequence

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.roles import Roles
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.tier import Tier, Tiered
from rollback_manager.values import Count, Seconds, Value


class Quorum(Value):
    """What a plan asks of those who agree to it.

    of_owners, of_commanders: of each, one of the votes must come from these groups or subjects;
    empty: from anybody. One person may be of both.
    among: whose votes count at all; empty: everybody's. escalate_s, remind_s: after the question
    was put, and then again and again; 0: never.
    """

    votes: Count
    not_requester: bool = False
    of_owners: tuple[str, ...] = ()
    of_commanders: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    because: str = ""
    escalate_s: Seconds = 0
    remind_s: Seconds = 0

    @property
    def kinds(self) -> tuple[tuple[str, ...], ...]:
        """Of whom one vote each is needed."""
        return tuple(one for one in (self.of_owners, self.of_commanders) if one)


class QuorumFacts(Value):
    """What a quorum follows from.

    asked: how many the request itself asks for. broken: the glass is; nobody is asked.
    automatic: an alert's own rollback, on a verdict of just now. stopped: by a freeze that stops
    rollbacks. by_word: an incident's, on a word that nobody signed. owners: of all services.
    approvers: of the environment.
    """

    level: SecurityLevel
    tier: Tier
    policy: ApprovalPolicy
    asked: Count = 0
    broken: bool = False
    automatic: bool = False
    stopped: bool = False
    by_word: bool = False
    owners: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    roles: Roles = Roles()


class Authority(Value):
    """How much authority one plan needs, and whose signatures count."""

    tiered: Tiered
    quorum: Quorum
    keys: tuple[VerifyKey, ...] = ()


def quorum_of(facts: QuorumFacts) -> Quorum:
    """The quorum of the tier (security.md §3), or more where policy or request ask for it.

    At level local one person is all there is: policy alone says whether that person is asked.
    """
    if facts.broken:
        return Quorum(votes=0, because="break-glass: nobody is asked, and it is reviewed in 24 h")
    base = 1 if facts.policy.required else 0
    if facts.level is SecurityLevel.LOCAL:
        votes = max(base, min(facts.asked, 1))
        return _with_times(Quorum(votes=votes, because=_alone(facts.tier)), facts.policy)
    votes = max(base, facts.asked, _by_tier(facts), int(facts.stopped), int(facts.by_word))
    two_look, three = facts.tier >= Tier.T2, facts.tier is Tier.T3
    commanders = facts.roles.incident_commander
    on_call = () if two_look else facts.roles.on_call
    quorum = Quorum(
        votes=votes,
        not_requester=two_look,
        of_owners=facts.owners if three else (),
        of_commanders=commanders if facts.stopped else (),
        among=tuple(sorted({*facts.owners, *facts.approvers, *commanders, *on_call})),
        because=_because(facts, votes),
    )
    return _with_times(quorum, facts.policy)


def strictest(quorums: Sequence[Quorum]) -> Quorum:
    """What satisfies all of them at once, where several plans are agreed to in one vote."""
    most = max(quorums, key=lambda one: one.votes)
    return most.model_copy(
        update={
            "not_requester": any(one.not_requester for one in quorums),
            "of_owners": _all(one.of_owners for one in quorums),
            "of_commanders": _all(one.of_commanders for one in quorums),
            "among": _all(one.among for one in quorums),
            "escalate_s": min(one.escalate_s for one in quorums),
            "remind_s": min(one.remind_s for one in quorums),
        }
    )


def _all(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in several for name in names}))


def _by_tier(facts: QuorumFacts) -> int:
    match facts.tier:
        case Tier.T0:
            return 0
        case Tier.T1:
            return 0 if facts.automatic else 1
        case Tier.T2:
            return 1
        case Tier.T3:
            return 2


def _because(facts: QuorumFacts, votes: int) -> str:
    if not votes:
        why = " and an alert's verdict of just now" if facts.tier is Tier.T1 else ""
        return f"{facts.tier}{why}: nobody is asked"
    people = "1 person" if votes == 1 else f"{votes} people"
    owners = f", 1 of them of {', '.join(facts.owners)}" if facts.tier is Tier.T3 else ""
    frozen = ", 1 of them an incident commander (frozen)" if facts.stopped else ""
    others = ", nobody who asked for it" if facts.tier >= Tier.T2 else ""
    return f"{facts.tier}: {people}{owners}{frozen}{others}"


def _alone(tier: Tier) -> str:
    """What one machine with one operator cannot keep (security.md §2)."""
    if tier < Tier.T2:
        return ""
    return f"{tier} asks for a second person; level local has one operator, so nobody checks that"


def _with_times(quorum: Quorum, policy: ApprovalPolicy) -> Quorum:
    return quorum.model_copy(update={"escalate_s": policy.escalate_s, "remind_s": policy.remind_s})
