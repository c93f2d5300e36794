"""The seed's table, and which trigger evidence fires."""

import pytest

from rollback_manager.incidents.triggers import (
    Automation,
    Finding,
    Severity,
    TriggerKind,
    fired,
    triggers,
)
from rollback_manager.policy import TriggerLimits
from tests.incidents import evidence

KIND = TriggerKind
LIMITS = TriggerLimits()
CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW


@pytest.mark.parametrize(
    ("kind", "limit", "severity", "respond_within_s", "automation"),
    [
        (KIND.CRITICAL_ERROR_RATE, 0.10, "critical", 120, "full automation"),
        (KIND.LATENCY_DEGRADATION, 2.0, "high", 300, "semi-automated"),
        (KIND.HEALTH_CHECK_FAILURE, 0.30, "critical", 120, "full automation"),
        (KIND.BUSINESS_METRIC_DROP, 0.20, "high", 300, "manual approval"),
        (KIND.SECURITY_INCIDENT, None, "critical", 0, "manual with automation"),
        (KIND.DATA_CORRUPTION, None, "critical", 0, "manual with procedures"),
        (KIND.PERFORMANCE_REGRESSION, 0.50, "medium", 900, "semi-automated"),
        (KIND.FEATURE_REGRESSION, None, "medium", 1800, "manual"),
    ],
)
def test_the_table_is_the_seeds(
    kind: TriggerKind,
    limit: float | None,
    severity: str,
    respond_within_s: float,
    automation: str,
) -> None:
    row = triggers(LIMITS)[kind]
    assert (row.limit, row.severity, row.respond_within_s) == (limit, severity, respond_within_s)
    assert row.automation == automation


def test_the_table_has_every_trigger_in_the_seeds_order() -> None:
    assert list(triggers(LIMITS)) == list(KIND)
    assert len(KIND) == 8


@pytest.mark.parametrize(
    ("kind", "size", "severity", "automation", "at_limit"),
    [
        pytest.param(KIND.CRITICAL_ERROR_RATE, 0.11, CRITICAL, Automation.FULL, True, id="11 %"),
        pytest.param(KIND.CRITICAL_ERROR_RATE, 0.10, HIGH, Automation.SEMI, False, id="10 %"),
        pytest.param(KIND.CRITICAL_ERROR_RATE, None, HIGH, Automation.SEMI, False, id="? %"),
        pytest.param(KIND.LATENCY_DEGRADATION, 2.1, HIGH, Automation.SEMI, True, id="× 2.1"),
        pytest.param(KIND.LATENCY_DEGRADATION, 2.0, MEDIUM, Automation.SEMI, False, id="× 2"),
        pytest.param(KIND.HEALTH_CHECK_FAILURE, 0.34, CRITICAL, Automation.FULL, True, id="1/3"),
        pytest.param(KIND.HEALTH_CHECK_FAILURE, 0.30, HIGH, Automation.SEMI, False, id="30 %"),
        pytest.param(
            KIND.BUSINESS_METRIC_DROP, 0.21, HIGH, Automation.MANUAL_APPROVAL, True, id="-21 %"
        ),
        pytest.param(
            KIND.BUSINESS_METRIC_DROP, 0.20, MEDIUM, Automation.MANUAL_APPROVAL, False, id="-20 %"
        ),
        pytest.param(KIND.PERFORMANCE_REGRESSION, 0.51, MEDIUM, Automation.SEMI, True, id="-51 %"),
        pytest.param(KIND.PERFORMANCE_REGRESSION, 0.50, LOW, Automation.SEMI, False, id="-50 %"),
        pytest.param(
            KIND.SECURITY_INCIDENT, None, CRITICAL, Automation.MANUAL_WITH_AUTOMATION, True, id="s"
        ),
        pytest.param(
            KIND.DATA_CORRUPTION, None, CRITICAL, Automation.MANUAL_WITH_PROCEDURES, True, id="d"
        ),
        pytest.param(KIND.FEATURE_REGRESSION, None, MEDIUM, Automation.MANUAL, True, id="f"),
    ],
)
def test_a_regression_fires_and_its_size_says_how_severe_it_is(
    kind: TriggerKind,
    size: float | None,
    severity: Severity,
    automation: Automation,
    at_limit: bool,
) -> None:
    found = fired(evidence(kind, size), LIMITS)
    assert found is not None
    assert (found.severity, found.automation, found.at_limit) == (severity, automation, at_limit)


@pytest.mark.parametrize("finding", [Finding.FINE, Finding.CANNOT_TELL])
def test_only_regressed_fires(finding: Finding) -> None:
    assert fired(evidence(finding=finding), LIMITS) is None


def test_the_upper_end_of_the_interval_decides_whether_the_limit_is_reached() -> None:
    found = fired(evidence(size=0.08, size_high=0.14), LIMITS)
    assert found is not None
    assert found.at_limit
    assert "8.0%, at most 14.0%, limit 10% of requests fail" in found.because


def test_a_policy_may_move_a_limit() -> None:
    found = fired(evidence(size=0.06), TriggerLimits(error_ratio=0.05))
    assert found is not None
    assert found.severity is CRITICAL
