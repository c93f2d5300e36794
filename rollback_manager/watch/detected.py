"""What a test's finding says to an incident. Pure; needs numpy, which the base install has not."""

from datetime import datetime

from rollback_manager.incidents.alarms import Sighting
from rollback_manager.incidents.triggers import Evidence, Source, TriggerKind
from rollback_manager.incidents.triggers import Finding as Said
from rollback_manager.release import Baseline
from rollback_manager.statistics import unknown
from rollback_manager.statistics.business import BUSINESS, THROUGHPUT
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.verification import wilson
from rollback_manager.watch.judges import trigger_of

ERRORS, SLOWNESS = "static_errors", "static_latency"
"""The two fixed limits to which a version is held that has nothing beside it."""

TRIGGERS = {
    "error_ratio": TriggerKind.CRITICAL_ERROR_RATE,
    "latency_p95": TriggerKind.LATENCY_DEGRADATION,
    ERRORS: TriggerKind.CRITICAL_ERROR_RATE,
    SLOWNESS: TriggerKind.LATENCY_DEGRADATION,
    "instances": TriggerKind.HEALTH_CHECK_FAILURE,
    BUSINESS.name: TriggerKind.BUSINESS_METRIC_DROP,
    THROUGHPUT.name: TriggerKind.PERFORMANCE_REGRESSION,
    "data_checks": TriggerKind.DATA_CORRUPTION,
    "journeys": TriggerKind.FEATURE_REGRESSION,
    unknown.TEST: TriggerKind.PERFORMANCE_REGRESSION,
}
"""The trigger of each test. Silence is no regression and common mode no alarm: neither is here.

What nothing is known of is told under the trigger of what it does: nothing, as far as anybody can
tell. Never under that of another test, whose "regressed" it would seem to take back.
"""

COMPARING = ("error_ratio", "latency_p95")
"""Tests that compare both versions at the same time; their evidence is in nats."""

SOURCES = {"data_checks": Source.DATA_CHECK, "journeys": Source.JOURNEY}
"""Who says so, where it is no detector."""


def speaks(finding: Finding) -> bool:
    """Whether an incident should know of it: worse, or unknown for too long."""
    return finding.answer is Answer.REGRESSED or unknown.asks(finding)


def worse_than_old(finding: Finding) -> str:
    """Why the release is worse than the old version was at the same time; empty where it is not."""
    compared = finding.compared or finding.test in COMPARING
    return finding.because if finding.answer is Answer.REGRESSED and compared else ""


_SAYS = {
    Answer.REGRESSED: Said.REGRESSED,
    Answer.FINE_SO_FAR: Said.FINE,
    Answer.CANNOT_TELL: Said.CANNOT_TELL,
}


def evidence(
    finding: Finding, seen: Sighting, usually: Baseline | None, at: datetime
) -> Evidence | None:
    """What the finding says to an incident; None for a test that fires no trigger."""
    trigger = TRIGGERS.get(finding.test) or trigger_of(finding.test)
    if trigger is None:
        return None
    size, high = _size(trigger, finding, seen, usually)
    return Evidence(
        trigger=trigger,
        finding=_SAYS[finding.answer],
        words=f"{finding.because} (beside {finding.comparator})",
        source=SOURCES.get(finding.test, Source.DETECTOR),
        fired_at=at,
        test=finding.test,
        size=size,
        size_high=high,
        nats=max(0.0, finding.evidence_nats) if finding.test in COMPARING else 0.0,
    )


def _size(
    trigger: TriggerKind, finding: Finding, seen: Sighting, usually: Baseline | None
) -> tuple[float | None, float | None]:
    """In the trigger's own measure, and the upper end of its interval where there is one."""
    if trigger is TriggerKind.HEALTH_CHECK_FAILURE:
        return finding.effect, None
    if trigger in _LOST:
        return None if finding.effect is None else -finding.effect, None
    if trigger is TriggerKind.CRITICAL_ERROR_RATE:
        return _failing(finding, seen)
    old = seen.old.latency_p95_ms if seen.old else usually.latency_p95_ms if usually else None
    if not old or seen.new is None or seen.new.latency_p95_ms is None:
        return None, None
    return seen.new.latency_p95_ms / old, None


_LOST = (TriggerKind.BUSINESS_METRIC_DROP, TriggerKind.PERFORMANCE_REGRESSION)
"""Triggers whose measure is the share that is lost; the tests say by how much it is off."""


def _failing(finding: Finding, seen: Sighting) -> tuple[float | None, float | None]:
    """The share that fails since the trouble began: a whole minute has the good time in it too."""
    if finding.usual is not None and finding.effect is not None:
        high = finding.effect_high
        return finding.usual + finding.effect, None if high is None else finding.usual + high
    if seen.new is None or not seen.new.requests:
        return None, None
    return seen.new.error_ratio, wilson(seen.new.errors, seen.new.requests)[1]
