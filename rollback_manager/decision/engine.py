"""The decision engine: rollback, fix forward, monitor, or a person looks. Pure.

First the seed, to the number: rules above 0.8, else the trained model above 0.7, else people.
Then the caps, which only ever lower what that came to.
"""

from collections.abc import Iterator
from datetime import datetime

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.decision import caps as capping
from rollback_manager.decision.caps import Cap
from rollback_manager.decision.factors import (
    Factors,
    fix_forward_complexity,
    rollback_complexity,
    root_cause,
)
from rollback_manager.decision.facts import Action, DecisionFacts
from rollback_manager.decision.rules import Method, Proposal, propose
from rollback_manager.incidents.incident import fired_by, respond_by, severity_of
from rollback_manager.policy import DecisionPolicy
from rollback_manager.strategies import RiskLevel
from rollback_manager.tier import Tier
from rollback_manager.values import Count, Ratio, Value


class Decision(Value):
    """What is done about an incident, by what, how sure, and why.

    proposed: what the seed's engine came to, before any cap. confidence: that the release is bad;
    measured on past alarms where `calibrated`, else the seed's root-cause confidence.
    confidence_score: the seed's own, uncalibrated, in the action proposed. respond_by: when the
    trigger's response time is over; None where nothing fired.
    """

    incident: str
    decided_at: datetime
    respond_by: datetime | None
    action: Action
    proposed: Action
    method: Method
    confidence: Ratio
    calibrated: bool
    confidence_score: Ratio
    factors: Factors
    caps: tuple[Cap, ...]
    reasons: tuple[str, ...]
    recommendations: tuple[str, ...]
    requires_approval: bool
    votes_needed: Count
    approvers: tuple[str, ...]
    target_version: str

    @property
    def signs(self) -> Ratio:
        """The seed's sum of signs that the release is bad: uncalibrated, whatever stands beside."""
        return self.factors.root_cause.confidence


def decide(facts: DecisionFacts, policy: DecisionPolicy) -> Decision:
    """The decision for these facts under this policy: the same ones always give the same one."""
    factors = collect(facts, policy)
    proposal = propose(facts, factors, policy)
    found = capping.caps(facts, policy)
    action = capping.strongest(proposal.action, found)
    measured = capping.confidence(facts, policy)
    seeds = factors.root_cause.confidence
    needed = capping.votes(found) if action is Action.ROLLBACK else 0
    return Decision(
        incident=facts.incident.id,
        decided_at=facts.now,
        respond_by=respond_by(facts.incident, policy.limits),
        action=action,
        proposed=proposal.action,
        method=proposal.method,
        confidence=seeds if measured.confidence is None else measured.confidence,
        calibrated=measured.confidence is not None,
        confidence_score=proposal.confidence,
        factors=factors,
        caps=found,
        reasons=tuple(_reasons(facts, factors, proposal, found, policy)),
        recommendations=tuple(_recommendations(action, facts, factors)),
        requires_approval=needed > 0,
        votes_needed=needed,
        approvers=_approvers(facts) if needed or action is Action.MANUAL_REVIEW else (),
        target_version=facts.way_back.target if action is Action.ROLLBACK else "",
    )


def collect(facts: DecisionFacts, policy: DecisionPolicy) -> Factors:
    """The seed's factors."""
    analysis = facts.analysis
    signs = [found.indicator for found in analysis.indicators]
    return Factors(
        severity=severity_of(fired_by(facts.incident, policy.limits)),
        impact=analysis.impact,
        root_cause=root_cause(signs, analysis.since_release_s, policy),
        time_since_deployment_s=analysis.since_release_s,
        rollback_complexity=rollback_complexity(analysis, policy.complexity),
        fix_forward_complexity=fix_forward_complexity(facts.way_back.fix, policy.complexity),
        business_context=facts.business_context,
        historical_patterns=facts.history,
        time_of_day=facts.now.hour,
        day_of_week=facts.now.weekday(),
        metrics=analysis.deviations,
    )


def _approvers(facts: DecisionFacts) -> tuple[str, ...]:
    """From T2 on nobody agrees to what they asked for themselves (security §3)."""
    own = facts.requested_by if facts.way_back.tier in {Tier.T2, Tier.T3} else ""
    return tuple(name for name in facts.approvers if name != own)


def _reasons(
    facts: DecisionFacts,
    factors: Factors,
    proposal: Proposal,
    found: tuple[Cap, ...],
    policy: DecisionPolicy,
) -> Iterator[str]:
    """What a person at night reads, the most telling first."""
    yield from (f"{one.trigger}: {one.because}" for one in fired_by(facts.incident, policy.limits))
    yield f"{proposal.method}: {proposal.action}, {proposal.confidence:g}: {proposal.because}"
    yield from (f"{one.indicator}: {one.because}" for one in facts.analysis.indicators)
    yield capping.confidence(facts, policy).because
    yield f"impact: {factors.impact.because}"
    for cap in found:
        asks = f" ({capping.agreement(cap.votes)})" if cap.to is Action.ROLLBACK else f" → {cap.to}"
        yield f"{cap.cap}{asks}: {cap.because}"
    yield from _about_votes(facts, capping.votes(found))


def _about_votes(facts: DecisionFacts, needed: int) -> Iterator[str]:
    """What nobody would guess about who agrees."""
    asked, may = capping.agreement(needed), len(_approvers(facts))
    if needed > 1 and facts.level is SecurityLevel.LOCAL:
        yield f"{asked}: {capping.FIRST_COUNTS}"
    if may < needed:
        field = f"environments.{facts.incident.env}.approvers"
        yield f"{asked} and the catalogue names {may} who may; name them: {field}"


def _recommendations(action: Action, facts: DecisionFacts, factors: Factors) -> Iterator[str]:
    if action is Action.ROLLBACK:
        yield from _for_a_rollback(facts, factors)
    elif action is Action.FIX_FORWARD:
        yield f"Fix forward ({', '.join(factors.fix_forward_complexity.factors)})."
        yield "Take the traffic off what is broken by a flag, where one covers it."
    elif action is Action.MONITOR:
        yield "Leave it as it is and keep watching; more evidence joins this incident."
    else:
        yield "A person decides: roll back, fix forward, or monitor."
        if facts.way_back.target:
            yield f"Ready if wanted: back to {facts.way_back.target}."
    if facts.analysis.has_data_changes:
        yield "Check what the release wrote: going back does not undo it."


def _for_a_rollback(facts: DecisionFacts, factors: Factors) -> Iterator[str]:
    hard = factors.rollback_complexity
    yield f"Go back to {facts.way_back.target}: {hard.score} points, {hard.estimated_duration}."
    if factors.impact.affected_services > 1:
        yield f"Undo the {factors.impact.affected_services} services together, writers first."
    if hard.risk_level is RiskLevel.HIGH:
        yield "Have somebody watch: this way back is a hard one."
