"""What the catalogue and the records say about the authority that a plan needs. Pure."""

from collections.abc import Mapping

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.quorum import Authority, QuorumFacts, quorum_of
from rollback_manager.authority.roles import Roles
from rollback_manager.contract import RollbackRequest
from rollback_manager.freezes import stops_rollbacks
from rollback_manager.incidents.analysis import deployment_type
from rollback_manager.incidents.indicators import Changed
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.plan import ServicePlan
from rollback_manager.planning.facts import PlanningFacts
from rollback_manager.planning.foreseen import must_be_asked
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.tier import TierFacts, highest, tier_of
from rollback_manager.values import Seconds, Value


class Rules(Value):
    """What an environment asks of those who decide there, for the services of one plan.

    owners, pair_tested: by service. tier_up: whether missing evidence raises the tier.
    """

    level: SecurityLevel
    roles: Roles = Roles()
    approvers: tuple[str, ...] = ()
    keys: tuple[VerifyKey, ...] = ()
    owners: dict[str, tuple[str, ...]]
    pair_tested: dict[str, bool]
    tier_up: bool = True
    cool_down_s: Seconds = 0


def authority(
    request: RollbackRequest,
    parts: Mapping[str, tuple[PlanningFacts, ServicePlan]],
    policy: ApprovalPolicy,
    rules: Rules,
) -> Authority:
    """The tier of all services together and the quorum that follows."""
    several = len(parts) > 1
    asked = any(must_be_asked(request, facts) for facts, _ in parts.values())
    tiers = {
        name: tier_of(_facts(request, facts, plan, rules, several=several))
        for name, (facts, plan) in parts.items()
    }
    tiered = highest(tiers)
    quorum = quorum_of(
        QuorumFacts(
            level=rules.level,
            tier=tiered.tier,
            policy=policy,
            asked=max(request.votes, int(asked)),
            broken=request.break_glass,
            automatic=is_automatic(request),
            stopped=any(stops_rollbacks(facts.frozen) for facts, _ in parts.values()),
            by_word=is_by_word(request),
            owners=tuple(sorted({name for part in parts for name in rules.owners[part]})),
            approvers=rules.approvers,
            roles=rules.roles,
        )
    )
    return Authority(tiered=tiered, quorum=quorum, keys=rules.keys)


def is_automatic(request: RollbackRequest) -> bool:
    """Whether an incident began it by itself: then its decision has just judged fresh evidence.

    It asks for approval where a detector has not said "regressed" within `fresh_s` (caps.py).
    Whoever asks may write anything under `incident`, their own name, too: only where an incident's
    own workflow, of just this service, is its parent, that stands for a judgement.
    """
    parent = _parent(request)
    places = {f"incident/{request.env}/{service}" for service in request.services}
    by_itself = parent == request.requested_by == request.incident
    is_incident = places == {parent.rpartition("/")[0]}
    return by_itself and is_incident and not request.needs_approval


def is_by_word(request: RollbackRequest) -> bool:
    """Whether an incident began it on somebody's word, which nobody has signed.

    Whoever may write to Temporal starts an incident's workflow under any id, and says any name to
    it: what has a parent, is no part of a rollback and not what an incident began by itself is so.
    """
    parent = _parent(request)
    by_itself = parent == request.requested_by == request.incident
    return bool(parent) and not request.word and not by_itself


def _parent(request: RollbackRequest) -> str:
    return request.origin.parent if request.origin else ""


def _facts(
    request: RollbackRequest,
    facts: PlanningFacts,
    plan: ServicePlan,
    rules: Rules,
    *,
    several: bool,
) -> TierFacts:
    rehearsed = [past.finished_at for past in facts.past if past.verified]
    age = (facts.now - max(rehearsed)).days if rehearsed else None
    limit = facts.policy.rehearsed_within_days
    ended = max((past.finished_at for past in facts.past), default=None)
    return TierFacts(
        deployment_type=deployment_type(plan.strategy, Changed()),
        several=several,
        touches_data=facts.strategy.touches_data,
        security_incident=request.trigger == TriggerKind.SECURITY_INCIDENT,
        rehearsed=not rules.tier_up or (age is not None and age <= limit),
        pair_tested=not rules.tier_up or rules.pair_tested[plan.service],
        rehearsal_d=age,
        rehearsal_limit_d=limit,
        since_last_s=(facts.now - ended).total_seconds() if ended else None,
        cool_down_s=rules.cool_down_s,
    )
