"""The seed's formulas, each case worked by hand; its id or comment is the arithmetic."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.decision.factors import (
    Fix,
    fix_forward_complexity,
    rollback_complexity,
    root_cause,
)
from rollback_manager.incidents.analysis import Analysis, DeploymentType
from rollback_manager.incidents.indicators import STRONG, WEAK, Indicator
from rollback_manager.policy import ComplexityPolicy, DecisionPolicy
from tests.incidents import analysis

TIMING, VERSION, CONFIGURATION, FEATURE = STRONG
LOAD, INFRASTRUCTURE, THIRD_PARTY, DATA = WEAK
MINUTES, HOURS = 60, 3600


@pytest.mark.parametrize(
    ("signs", "since_s", "confidence"),
    [
        # from 30 min to 24 h the age changes nothing
        pytest.param((), 1 * HOURS, 0.0, id="0"),
        pytest.param((TIMING,), 1 * HOURS, 0.8, id="0.7 + 0.1"),
        pytest.param((VERSION,), 1 * HOURS, 0.8, id="0.7 + 0.1, errors of the version"),
        pytest.param((CONFIGURATION,), 1 * HOURS, 0.8, id="0.7 + 0.1, configuration"),
        pytest.param((FEATURE,), 1 * HOURS, 0.8, id="0.7 + 0.1, feature"),
        pytest.param((TIMING, VERSION), 1 * HOURS, 0.9, id="0.7 + 0.2"),
        pytest.param((TIMING, VERSION, FEATURE), 1 * HOURS, 0.95, id="0.7 + 0.3 = 1.0, cap"),
        pytest.param(STRONG, 1 * HOURS, 0.95, id="0.7 + 0.4 = 1.1, cap"),
        pytest.param((LOAD,), 1 * HOURS, 0.4, id="0.3 + 0.1"),
        pytest.param((INFRASTRUCTURE,), 1 * HOURS, 0.4, id="0.3 + 0.1, infrastructure"),
        pytest.param((THIRD_PARTY,), 1 * HOURS, 0.4, id="0.3 + 0.1, third party"),
        pytest.param((DATA,), 1 * HOURS, 0.4, id="0.3 + 0.1, data"),
        pytest.param((LOAD, DATA), 1 * HOURS, 0.5, id="0.3 + 0.2"),
        pytest.param((LOAD, DATA, THIRD_PARTY), 1 * HOURS, 0.6, id="0.3 + 0.3"),
        pytest.param(WEAK, 1 * HOURS, 0.7, id="0.3 + 0.4"),
        pytest.param((TIMING, *WEAK), 1 * HOURS, 0.8, id="weak beside strong: not counted"),
        pytest.param((TIMING, TIMING), 1 * HOURS, 0.8, id="told twice: counted once"),
        # younger than 30 min: × 1.2
        pytest.param((), 5 * MINUTES, 0.0, id="0 × 1.2"),
        pytest.param((TIMING,), 5 * MINUTES, 0.95, id="0.8 × 1.2 = 0.96, cap"),
        pytest.param((TIMING, VERSION), 5 * MINUTES, 0.95, id="0.9 × 1.2 = 1.08, cap"),
        pytest.param(STRONG, 0, 0.95, id="1.1 × 1.2 = 1.32, cap"),
        pytest.param((LOAD,), 5 * MINUTES, 0.48, id="0.4 × 1.2"),
        pytest.param((LOAD, DATA), 5 * MINUTES, 0.6, id="0.5 × 1.2"),
        pytest.param((LOAD, DATA, THIRD_PARTY), 5 * MINUTES, 0.72, id="0.6 × 1.2"),
        pytest.param(WEAK, 5 * MINUTES, 0.84, id="0.7 × 1.2"),
        # older than 24 h: × 0.8, and the cap comes after it
        pytest.param((), 25 * HOURS, 0.0, id="0 × 0.8"),
        pytest.param((TIMING,), 25 * HOURS, 0.64, id="0.8 × 0.8"),
        pytest.param((TIMING, VERSION), 25 * HOURS, 0.72, id="0.9 × 0.8"),
        pytest.param((TIMING, VERSION, FEATURE), 25 * HOURS, 0.8, id="1.0 × 0.8"),
        pytest.param(STRONG, 25 * HOURS, 0.88, id="1.1 × 0.8"),
        pytest.param((LOAD,), 25 * HOURS, 0.32, id="0.4 × 0.8"),
        pytest.param((LOAD, DATA), 25 * HOURS, 0.4, id="0.5 × 0.8"),
        pytest.param((LOAD, DATA, THIRD_PARTY), 25 * HOURS, 0.48, id="0.6 × 0.8"),
        pytest.param(WEAK, 25 * HOURS, 0.56, id="0.7 × 0.8"),
        # the edges: "< 30 minutes" and "> 24 hours"
        pytest.param((LOAD,), 1799.9, 0.48, id="0.4 × 1.2 just before 30 min"),
        pytest.param((LOAD,), 1800, 0.4, id="0.4 at 30 min"),
        pytest.param((LOAD,), 86_400, 0.4, id="0.4 at 24 h"),
        pytest.param((LOAD,), 86_400.1, 0.32, id="0.4 × 0.8 just after 24 h"),
    ],
)
def test_root_cause_confidence(
    signs: tuple[Indicator, ...], since_s: float, confidence: float
) -> None:
    assert root_cause(signs, since_s, DecisionPolicy()).confidence == confidence


def test_the_arithmetic_is_in_words() -> None:
    told = root_cause((TIMING, VERSION), 300, DecisionPolicy()).because
    wanted = "2 strong signs: 0.7 + 2 × 0.1, × 1.2 (out for less than 30 min), at most 0.95 = 0.95"
    assert told == wanted


@given(st.sets(st.sampled_from(Indicator)), st.floats(0, 1e7), st.sampled_from(STRONG))
def test_a_strong_sign_more_never_lowers_the_confidence(
    signs: set[Indicator], since_s: float, further: Indicator
) -> None:
    policy = DecisionPolicy()
    before, after = (
        root_cause(signs, since_s, policy),
        root_cause(signs | {further}, since_s, policy),
    )
    assert 0 <= before.confidence <= after.confidence <= 0.95


def test_only_strong_signs_or_all_weak_ones_at_once_exceed_the_rules_threshold() -> None:
    weak = [signs for n in range(5) for signs in combinations(WEAK, n)]
    above = [one for one in weak if root_cause(one, 60, DecisionPolicy()).confidence > 0.8]
    assert above == [WEAK]  # which is why caps.NO_STRONG_SIGN exists


def known(kind: DeploymentType, services: int, dependencies: int, changed: bool) -> Analysis:
    made = analysis(affected_services=services, dependencies=dependencies)
    return made.model_copy(update={"deployment_type": kind, "has_data_changes": changed})


BLUE_GREEN, FLAG, CANARY, ROLLING, MIGRATION, UNKNOWN = DeploymentType


@pytest.mark.parametrize(
    ("kind", "services", "dependencies", "changed", "score", "level", "duration"),
    [
        pytest.param(FLAG, 1, 0, False, 10, "low", "< 5 minutes", id="10"),
        pytest.param(BLUE_GREEN, 1, 0, False, 20, "low", "< 5 minutes", id="20"),
        pytest.param(CANARY, 1, 0, False, 30, "medium", "5-15 minutes", id="30 is not < 30"),
        pytest.param(ROLLING, 1, 0, False, 40, "medium", "5-15 minutes", id="40"),
        pytest.param(UNKNOWN, 1, 0, False, 50, "medium", "5-15 minutes", id="50"),
        pytest.param(MIGRATION, 1, 0, False, 80, "high", "15+ minutes", id="80"),
        pytest.param(FLAG, 1, 0, True, 40, "medium", "5-15 minutes", id="10 + 30"),
        pytest.param(BLUE_GREEN, 1, 0, True, 50, "medium", "5-15 minutes", id="20 + 30"),
        pytest.param(CANARY, 1, 0, True, 60, "high", "15+ minutes", id="30 + 30 is not < 60"),
        pytest.param(ROLLING, 1, 0, True, 70, "high", "15+ minutes", id="40 + 30"),
        pytest.param(UNKNOWN, 1, 0, True, 80, "high", "15+ minutes", id="50 + 30"),
        pytest.param(MIGRATION, 1, 0, True, 110, "high", "15+ minutes", id="80 + 30"),
        pytest.param(FLAG, 2, 0, False, 20, "low", "< 5 minutes", id="10 + 1 × 10"),
        pytest.param(BLUE_GREEN, 3, 0, False, 40, "medium", "5-15 minutes", id="20 + 2 × 10"),
        pytest.param(CANARY, 4, 0, False, 60, "high", "15+ minutes", id="30 + 3 × 10"),
        pytest.param(FLAG, 1, 3, False, 25, "low", "< 5 minutes", id="10 + 3 × 5"),
        pytest.param(BLUE_GREEN, 1, 1, False, 25, "low", "< 5 minutes", id="20 + 5"),
        pytest.param(BLUE_GREEN, 1, 2, False, 30, "medium", "5-15 minutes", id="20 + 2 × 5"),
        pytest.param(ROLLING, 1, 3, False, 55, "medium", "5-15 minutes", id="40 + 3 × 5"),
        pytest.param(ROLLING, 2, 1, True, 85, "high", "15+ minutes", id="40 + 30 + 10 + 5"),
        pytest.param(MIGRATION, 3, 4, True, 150, "high", "15+ minutes", id="80 + 30 + 20 + 20"),
    ],
)
def test_rollback_complexity(
    kind: DeploymentType,
    services: int,
    dependencies: int,
    changed: bool,
    score: int,
    level: str,
    duration: str,
) -> None:
    answer = rollback_complexity(known(kind, services, dependencies, changed), ComplexityPolicy())
    assert (answer.score, answer.risk_level, answer.estimated_duration) == (score, level, duration)


def test_complexity_names_what_it_is_made_of() -> None:
    answer = rollback_complexity(known(ROLLING, 2, 1, True), ComplexityPolicy())
    assert answer.factors == (
        "deployment_type: rolling_update",
        "data_changes_present",
        "multiple_services: 2",
        "dependencies: 1",
    )


def test_each_deployment_type_has_its_points_in_the_policy() -> None:
    assert {str(kind) for kind in DeploymentType} <= ComplexityPolicy.model_fields.keys()


@pytest.mark.parametrize(
    ("fix", "score", "level"),
    [(Fix.BUILT, 20, "low"), (Fix.KNOWN, 50, "medium"), (Fix.UNKNOWN, 80, "high")],
)
def test_fixing_forward_is_as_hard_as_the_fix_is_far(fix: Fix, score: int, level: str) -> None:
    answer = fix_forward_complexity(fix, ComplexityPolicy())
    assert (answer.score, answer.risk_level) == (score, level)
