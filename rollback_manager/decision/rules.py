"""What the seed's engine comes to before any cap: a rule, else the model, else people. Pure."""

from enum import StrEnum

from rollback_manager.decision.factors import Factors
from rollback_manager.decision.facts import Action, DecisionFacts
from rollback_manager.decision.model import DecisionModel, foretell
from rollback_manager.incidents.triggers import Finding, Severity
from rollback_manager.policy import DecisionPolicy
from rollback_manager.strategies import RiskLevel
from rollback_manager.values import Ratio, Value


class Method(StrEnum):
    """What made the decision, in the seed's words."""

    RULE_BASED = "rule_based"
    ML_BASED = "ml_based"
    MANUAL_REQUIRED = "manual_required"


class Proposal(Value):
    """What the rules, the model, or the want of both come to. confidence: in this action."""

    action: Action
    confidence: Ratio
    method: Method
    because: str


def propose(facts: DecisionFacts, factors: Factors, policy: DecisionPolicy) -> Proposal:
    """Rules above 0.8; else the model, if there is one, above 0.7; else people, at 0.5."""
    if factors.severity is None:
        return _nothing_fired(facts, policy)
    ruled = by_rules(factors, policy)
    if ruled.confidence > policy.rule_confidence:
        return ruled
    if isinstance(facts.model, DecisionModel):
        foretold = _by_model(facts.model, factors)
        if foretold.confidence > policy.model_confidence and not _talks_away(foretold, factors):
            return foretold
        model = foretold.because
    else:
        model = f"the model: {facts.model.because}"
    unsure = f"{ruled.because}; {ruled.confidence:g}, above {policy.rule_confidence:g} is needed"
    return _left_to_people(f"insufficient confidence: {unsure}; {model}", policy)


def _talks_away(foretold: Proposal, factors: Factors) -> bool:
    """A model may not end a critical alarm, nor one of data or security: people see those."""
    return foretold.action is Action.MONITOR and factors.severity is Severity.CRITICAL


def by_rules(factors: Factors, policy: DecisionPolicy) -> Proposal:
    """The rules, which the seed leaves open: as sure as it is that the release is the cause.

    Worse, but by less than its limit and of medium severity at most → monitor. A built fix against
    a hard rollback → fix forward, unless it is critical: then the fastest known way counts. Else →
    rollback.
    """
    cause = factors.root_cause
    if factors.severity is Severity.LOW:
        because = "worse, but by less than the trigger's limit"
        return _ruled(Action.MONITOR, policy.highest_confidence, because)
    easy = factors.fix_forward_complexity.risk_level is RiskLevel.LOW
    hard = factors.rollback_complexity.risk_level is RiskLevel.HIGH
    if easy and hard and factors.severity is not Severity.CRITICAL:
        scores = factors.fix_forward_complexity.score, factors.rollback_complexity.score
        because = f"a fix is built ({scores[0]} points) and going back is hard ({scores[1]} points)"
        return _ruled(Action.FIX_FORWARD, cause.confidence, f"{because}; {cause.because}")
    return _ruled(Action.ROLLBACK, cause.confidence, f"it is the release: {cause.because}")


def _nothing_fired(facts: DecisionFacts, policy: DecisionPolicy) -> Proposal:
    """Monitor, or people where it cannot be told: no data is no pass, nor alone a rollback."""
    joined = facts.incident.joined
    unclear = [o.newest.words for o in joined if o.newest.finding is Finding.CANNOT_TELL]
    if unclear or not joined:
        because = f"it cannot be told: {'; '.join(unclear) or 'there is no evidence'}"
        return _left_to_people(because, policy)
    because = "no source says that it is worse"
    return _ruled(Action.MONITOR, policy.highest_confidence, because)


def _ruled(action: Action, confidence: Ratio, because: str) -> Proposal:
    method = Method.RULE_BASED
    return Proposal(action=action, confidence=confidence, method=method, because=because)


def _left_to_people(because: str, policy: DecisionPolicy) -> Proposal:
    return Proposal(
        action=Action.MANUAL_REVIEW,
        confidence=policy.manual_confidence,
        method=Method.MANUAL_REQUIRED,
        because=because,
    )


def _by_model(model: DecisionModel, factors: Factors) -> Proposal:
    told = foretell(model, factors)
    bad = told.bad >= 0.5
    return Proposal(
        action=Action.ROLLBACK if bad else Action.MONITOR,
        confidence=told.bad if bad else 1 - told.bad,
        method=Method.ML_BASED,
        because=f"the model: {told.bad:.0%} likely to be bad ({told.because})",
    )
