"""The seed's decision factors and their formulas, to the number. Pure."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.incidents.analysis import Analysis, DeploymentType, Impact
from rollback_manager.incidents.deviation import Deviation
from rollback_manager.incidents.indicators import STRONG, WEAK, Indicator
from rollback_manager.incidents.triggers import Severity
from rollback_manager.policy import ComplexityPolicy, DecisionPolicy
from rollback_manager.strategies import RiskLevel
from rollback_manager.values import Count, Ratio, Seconds, Value

EXACT = 9
"""Digits kept of a confidence: 0.7 + 0.1 is 0.8 to people, and 0.7999… to binary fractions."""


class RootCause(Value):
    """How sure it is that the release is the cause, by the seed's sum, and how that came about."""

    confidence: Ratio
    because: str


def root_cause(found: Iterable[Indicator], since_s: Seconds, policy: DecisionPolicy) -> RootCause:
    """0.7 + 0.1 × strong, else 0.3 + 0.1 × weak, else 0; then × 1.2 or × 0.8 by age; at most 0.95.

    since_s: seconds since the release went out. The cap comes last, as in the seed: four strong
    signs of a release from yesterday are (0.7 + 0.4) × 0.8 = 0.88. This is no probability.
    """
    signs = set(found)
    value, words = _sum(len(signs & set(STRONG)), len(signs & set(WEAK)), policy)
    factor, age = _by_age(since_s, policy)
    confidence = round(min(policy.highest_confidence, value * factor), EXACT)
    capped = f", at most {policy.highest_confidence:g}" if confidence < value * factor else ""
    return RootCause(confidence=confidence, because=f"{words}{age}{capped} = {confidence:g}")


def _sum(strong: int, weak: int, policy: DecisionPolicy) -> tuple[float, str]:
    each = policy.per_indicator
    if strong:
        words = f"{strong} strong signs: {policy.strong_base:g} + {strong} × {each:g}"
        return round(policy.strong_base + strong * each, EXACT), words
    if weak:
        words = f"{weak} weak signs: {policy.weak_base:g} + {weak} × {each:g}"
        return round(policy.weak_base + weak * each, EXACT), words
    return 0.0, "no sign of a cause: 0"


def _by_age(since_s: Seconds, policy: DecisionPolicy) -> tuple[float, str]:
    if since_s < policy.recent_s:
        words = f", × {policy.recent_factor:g} (out for less than {policy.recent_s / 60:g} min)"
        return policy.recent_factor, words
    if since_s > policy.old_s:
        words = f", × {policy.old_factor:g} (out for more than {policy.old_s / 3600:g} h)"
        return policy.old_factor, words
    return 1.0, ""


class Complexity(Value):
    """How hard something is. score: the seed's points; its "0–100" can be exceeded."""

    score: Count
    factors: tuple[str, ...]
    risk_level: RiskLevel
    estimated_duration: str


def rollback_complexity(analysis: Analysis, policy: ComplexityPolicy) -> Complexity:
    """Points of the deployment type, + data, + 10 per further service, + 5 per dependency."""
    further = max(0, analysis.impact.affected_services - 1)
    parts = (
        (_base(analysis.deployment_type, policy), f"deployment_type: {analysis.deployment_type}"),
        (policy.data_changes * analysis.has_data_changes, "data_changes_present"),
        (policy.further_service * further, f"multiple_services: {further + 1}"),
        (policy.dependency * analysis.dependencies, f"dependencies: {analysis.dependencies}"),
    )
    counted = [(points, words) for points, words in parts if points]
    return _complexity(sum(points for points, _ in counted), [w for _, w in counted], policy)


def _base(kind: DeploymentType, policy: ComplexityPolicy) -> int:
    points: int = getattr(policy, kind.value)  # one field per type: a test holds them together
    return points


class Fix(StrEnum):
    """How far a fix of the release is."""

    BUILT = "built"
    KNOWN = "known"
    UNKNOWN = "unknown"


def fix_forward_complexity(fix: Fix, policy: ComplexityPolicy) -> Complexity:
    """How hard going forward is, on the same scale. The seed names this factor and no formula."""
    points = {
        Fix.BUILT: policy.fix_built,
        Fix.KNOWN: policy.fix_known,
        Fix.UNKNOWN: policy.fix_unknown,
    }[fix]
    return _complexity(points, [f"fix: {fix}"], policy)


def _complexity(score: int, factors: list[str], policy: ComplexityPolicy) -> Complexity:
    if score < policy.medium_from:
        level, duration = RiskLevel.LOW, "< 5 minutes"
    elif score < policy.high_from:
        level, duration = RiskLevel.MEDIUM, "5-15 minutes"
    else:
        level, duration = RiskLevel.HIGH, "15+ minutes"
    return Complexity(
        score=score, factors=tuple(factors), risk_level=level, estimated_duration=duration
    )


class History(Value):
    """What happened to this service before: rollbacks, and alarms that turned out false."""

    rollbacks: Count = 0
    false_alarms: Count = 0
    last_ended_at: datetime | None = None
    """When its last rollback ended."""


class Factors(Value):
    """Everything that a decision considered: the seed's ten, and one per metric.

    Hour and weekday are those of UTC; Monday is 0. business_context: what the requester or the
    catalogue says about this moment, such as a sale; recorded, and read by people.
    """

    severity: Severity | None
    impact: Impact
    root_cause: RootCause
    time_since_deployment_s: Seconds
    rollback_complexity: Complexity
    fix_forward_complexity: Complexity
    business_context: str
    historical_patterns: History
    time_of_day: Annotated[int, Field(ge=0, le=23)]
    day_of_week: Annotated[int, Field(ge=0, le=6)]
    metrics: tuple[Deviation, ...]
