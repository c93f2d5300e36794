"""The plan of all services of one rollback, put together from theirs. Pure."""

from collections.abc import Sequence
from datetime import datetime

from rollback_manager import configuration
from rollback_manager.authority.quorum import Authority
from rollback_manager.contract import RollbackRequest
from rollback_manager.fleet import together
from rollback_manager.plan import Found, Risk, RollbackPlan, ServicePlan
from rollback_manager.planning.facts import PlanningFacts
from rollback_manager.planning.foreseen import estimate, gates_before, must_be_asked
from rollback_manager.policy import ApprovalPolicy, Policy
from rollback_manager.strategies import Strategy


def assemble(
    request: RollbackRequest,
    security: str,
    services: tuple[tuple[PlanningFacts, ServicePlan, Found], ...],
    now: datetime,
    *,
    waves: together.Waves = (),
    width: int = 1,
    authority: Authority | None = None,
    channels: tuple[str, ...] = (),
) -> RollbackPlan:
    """The whole plan: all services in the order of their waves; one wave if none are given.

    authority: what it needs; None: what policy and request alone ask for.
    """
    parts = {plan.service: (facts, plan, seen) for facts, plan, seen in services}
    waves = waves or (tuple(sorted(parts)),)
    ordered = [parts[name] for wave in waves for name in wave]
    plans = tuple(plan for _, plan, _ in ordered)
    policies = [facts.policy for facts, _, _ in ordered]
    asked = _is_asked(request, [facts for facts, _, _ in ordered], authority)
    return RollbackPlan(
        env=request.env,
        security=security,
        services=plans,
        waves=waves,
        approval=_approval(request, policies, asked=asked),
        time_limit_s=max(policy.time_limit_s for policy in policies),
        plan_valid_s=min(policy.plan_valid_s for policy in policies),
        abort_when=together.abort_when(plans, width),
        done_when=together.done_when(plans),
        risks=together.risks({p.service: _risks(f.strategy, p) for f, p, _ in ordered}),
        gates=together.gates(
            {
                p.service: gates_before(f, p, request, security, channels, asked=asked)
                for f, p, _ in ordered
            }
        ),
        found=tuple(seen for _, _, seen in ordered),
        estimate=together.estimate({p.service: estimate(f) for f, p, _ in ordered}, waves, width),
        made_at=now,
        tier=authority.tiered.tier if authority else None,
        tier_because=authority.tiered.because if authority else "",
        quorum=authority.quorum if authority else None,
        keys=authority.keys if authority else (),
        break_glass=request.requested_by if request.break_glass else "",
        channels=channels,
    ).sealed()


def _is_asked(
    request: RollbackRequest, services: Sequence[PlanningFacts], authority: Authority | None
) -> bool:
    if authority is not None:
        return authority.quorum.votes > 0
    return any(must_be_asked(request, facts) for facts in services)


def _approval(
    request: RollbackRequest, policies: Sequence[Policy], *, asked: bool
) -> ApprovalPolicy:
    approval = together.approval(policies, asked_for=asked)
    return approval.model_copy(update={"required": False}) if request.break_glass else approval


def _risks(strategy: Strategy, plan: ServicePlan) -> tuple[Risk, ...]:
    known = (*strategy.risks, *([configuration.RISK] if configuration.is_restored(plan) else []))
    if plan.baseline is not None:
        return known
    return (
        *known,
        Risk(
            risk=f"no baseline of {plan.to_version} is recorded: latency cannot be judged",
            mitigation="verification will say inconclusive and ask a person",
        ),
    )
