"""The seed's eight triggers, and which of them evidence fires. Pure.

Evidence comes from a statistical detector or from an event (a client's report, a data check, a
journey). The detector says *that* something is worse; its size says whether it is as bad as the
trigger's limit.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rollback_manager.policy import TriggerLimits
from rollback_manager.values import Seconds, Value


class TriggerKind(StrEnum):
    """What can be wrong with a release."""

    CRITICAL_ERROR_RATE = "critical_error_rate"
    LATENCY_DEGRADATION = "latency_degradation"
    HEALTH_CHECK_FAILURE = "health_check_failure"
    BUSINESS_METRIC_DROP = "business_metric_drop"
    SECURITY_INCIDENT = "security_incident"
    DATA_CORRUPTION = "data_corruption"
    PERFORMANCE_REGRESSION = "performance_regression"
    FEATURE_REGRESSION = "feature_regression"


class Severity(StrEnum):
    """How bad, the worst last."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Automation(StrEnum):
    """How much may happen without a person, the most first."""

    FULL = "full automation"
    SEMI = "semi-automated"
    MANUAL_APPROVAL = "manual approval"
    MANUAL_WITH_AUTOMATION = "manual with automation"
    MANUAL_WITH_PROCEDURES = "manual with procedures"
    MANUAL = "manual"


class Trigger(Value):
    """One row of the seed's table. limit: of `metric`, in `unit`; None where one event is enough.

    respond_within_s: time from the alarm to the answer; 0 is the seed's "immediate".
    """

    kind: TriggerKind
    metric: str
    limit: float | None
    unit: str
    severity: Severity
    respond_within_s: Seconds
    automation: Automation


def triggers(limits: TriggerLimits) -> dict[TriggerKind, Trigger]:
    """The table, with the policy's limits in it; the rest of each row is the seed's."""
    kind, severity, automation = TriggerKind, Severity, Automation
    rows = (
        (kind.CRITICAL_ERROR_RATE, "error ratio", limits.error_ratio, "of requests fail",
         severity.CRITICAL, 120, automation.FULL),
        (kind.LATENCY_DEGRADATION, "P95 latency", limits.latency_factor, "of the baseline",
         severity.HIGH, 300, automation.SEMI),
        (kind.HEALTH_CHECK_FAILURE, "unhealthy instances", limits.unhealthy_share, "of instances",
         severity.CRITICAL, 120, automation.FULL),
        (kind.BUSINESS_METRIC_DROP, "revenue or conversion", limits.business_drop, "lost",
         severity.HIGH, 300, automation.MANUAL_APPROVAL),
        (kind.SECURITY_INCIDENT, "security findings", None, "findings",
         severity.CRITICAL, 0, automation.MANUAL_WITH_AUTOMATION),
        (kind.DATA_CORRUPTION, "data integrity checks", None, "failed checks",
         severity.CRITICAL, 0, automation.MANUAL_WITH_PROCEDURES),
        (kind.PERFORMANCE_REGRESSION, "throughput", limits.throughput_drop, "lost",
         severity.MEDIUM, 900, automation.SEMI),
        (kind.FEATURE_REGRESSION, "key features", None, "broken features",
         severity.MEDIUM, 1800, automation.MANUAL),
    )  # fmt: skip
    names = tuple(Trigger.model_fields)
    made = (Trigger.model_validate(dict(zip(names, row, strict=True))) for row in rows)
    return {trigger.kind: trigger for trigger in made}


class Finding(StrEnum):
    """What evidence says, at every moment one of three."""

    REGRESSED = "regressed"
    FINE = "fine so far"
    CANNOT_TELL = "cannot tell"


class Source(StrEnum):
    """Who says so."""

    DETECTOR = "detector"
    CLIENT = "client"
    DATA_CHECK = "data check"
    JOURNEY = "journey"


class Evidence(Value):
    """What one source says about one trigger of one release, and how strongly.

    size: in the trigger's own measure (failing share, P95 ÷ baseline, unhealthy share, lost
    share); None where nothing is measured. size_high: the upper end of its interval. nats: log
    e-value of a detector, 0 for an event. fired_at: when it was seen, by the source's clock. test:
    which of the source's tests says so, for one never takes back what another one said.
    """

    trigger: TriggerKind
    finding: Finding
    words: str
    source: Source
    fired_at: datetime
    size: float | None = None
    size_high: float | None = None
    nats: Annotated[float, Field(ge=0)] = 0.0
    test: str = ""


class Fired(Value):
    """A trigger that fired: how severe it is, how much may happen by itself, and why.

    at_limit: its size reaches the trigger's limit, as far as the numbers can tell.
    """

    trigger: TriggerKind
    severity: Severity
    automation: Automation
    at_limit: bool
    because: str


def fired(evidence: Evidence, limits: TriggerLimits) -> Fired | None:
    """The trigger that this evidence fires; None unless it says "regressed".

    A regression that is shown and smaller than the limit is real, but not what the table speaks
    of: one severity lower, and a person agrees first. Where an interval is known its upper end
    counts: few requests prove harm sooner than its size, and users should not wait for that.
    """
    if evidence.finding is not Finding.REGRESSED:
        return None
    trigger = triggers(limits)[evidence.trigger]
    reaches = _reaches(evidence, trigger)
    order = list(Severity)
    severity = trigger.severity if reaches else order[order.index(trigger.severity) - 1]
    automation = trigger.automation if reaches else max_care(trigger.automation, Automation.SEMI)
    return Fired(
        trigger=evidence.trigger,
        severity=severity,
        automation=automation,
        at_limit=reaches,
        because=f"{evidence.words} ({_against(evidence, trigger)})",
    )


def max_care(first: Automation, second: Automation) -> Automation:
    """The one of the two that leaves more to people."""
    return max(first, second, key=list(Automation).index)


def _reaches(evidence: Evidence, trigger: Trigger) -> bool:
    size = evidence.size if evidence.size_high is None else evidence.size_high
    return trigger.limit is None or (size is not None and size > trigger.limit)


def _against(evidence: Evidence, trigger: Trigger) -> str:
    if trigger.limit is None:
        return f"{trigger.metric}: one is enough"
    if evidence.size is None:
        return f"size not measured, limit {trigger.limit:.0%} {trigger.unit}"
    upto = f", at most {evidence.size_high:.1%}" if evidence.size_high is not None else ""
    return f"{evidence.size:.1%}{upto}, limit {trigger.limit:.0%} {trigger.unit}"
