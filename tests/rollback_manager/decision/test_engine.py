"""The decision engine: the seed's thresholds, its rules, and what a person reads."""

import math
from typing import Any

import pytest

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.decision.calibration import Calibration, CalibrationReport, Level
from rollback_manager.decision.engine import decide
from rollback_manager.decision.factors import Fix
from rollback_manager.decision.facts import Action
from rollback_manager.decision.model import Coefficient, DecisionModel, NotTrained
from rollback_manager.decision.rules import Method
from rollback_manager.incidents.analysis import DeploymentType
from rollback_manager.incidents.incident import Incident
from rollback_manager.incidents.indicators import Changed
from rollback_manager.incidents.triggers import Finding, Source, TriggerKind
from rollback_manager.policy import DecisionPolicy
from rollback_manager.tier import Tier
from tests.incidents import NOW, POLICY, after, analysis, evidence, facts, incident, scene, way_back

ROLLBACK, REVIEW, FIX, MONITOR = Action
RULE, MODEL, MANUAL = Method
KIND = TriggerKind
HOURS = 3600


def age(hours: float, **changes: Any) -> dict[str, Any]:
    """The release went out so many hours ago, and trouble began 20 s ago."""
    known: dict[str, Any] = {"now": after(hours * HOURS), "onset_at": after(hours * HOURS - 20)}
    fresh = evidence(fired_at=after(hours * HOURS))
    return {
        "analysis": analysis(scene(**(known | changes))),
        "incident": incident(fresh),
        "now": after(hours * HOURS),
    }


def model(bad: float) -> DecisionModel:
    """Always as sure: the intercept is the log-odds."""
    return DecisionModel(
        intercept=math.log(bad / (1 - bad)),
        coefficients=(Coefficient(feature="severity", weight=0.0, mean=0.0, scale=1.0),),
        labels=60,
        bad=30,
        report=CalibrationReport(bins=(), expected_error=0.02, count=60),
    )


SLOW = incident(evidence(KIND.LATENCY_DEGRADATION, 2.5))
UNSURE = age(1, onset_at=after(HOURS - 20))  # errors of the version alone: 0.7 + 0.1 = 0.8


@pytest.mark.parametrize(
    ("changes", "action", "method", "score"),
    [
        pytest.param({}, ROLLBACK, RULE, 0.95, id="(0.7 + 0.2) × 1.2, cap: rule"),
        pytest.param(UNSURE, REVIEW, MANUAL, 0.5, id="0.8 is not above 0.8: people, 0.5"),
        pytest.param(age(1, onset_at=after(600)), ROLLBACK, RULE, 0.9, id="0.7 + 0.2 = 0.9: rule"),
        pytest.param(age(25), REVIEW, MANUAL, 0.5, id="0.8 × 0.8 = 0.64: people"),
        pytest.param(
            age(25, new_routes_failing=("/gift",), onset_at=after(9)),
            REVIEW,
            MANUAL,
            0.5,
            id="(0.7 + 0.3) × 0.8 = 0.8: people",
        ),
        pytest.param(UNSURE | {"model": model(0.9)}, ROLLBACK, MODEL, 0.9, id="model 0.9"),
        pytest.param(UNSURE | {"model": model(0.71)}, ROLLBACK, MODEL, 0.71, id="model 0.71"),
        pytest.param(UNSURE | {"model": model(0.7)}, REVIEW, MANUAL, 0.5, id="0.7 not above 0.7"),
        pytest.param(
            UNSURE | {"model": model(0.1), "incident": SLOW}, MONITOR, MODEL, 0.9, id="1 - 0.1"
        ),
        pytest.param(
            UNSURE | {"model": model(0.1)}, REVIEW, MANUAL, 0.5, id="no model ends a critical alarm"
        ),
        pytest.param({"model": model(0.1)}, ROLLBACK, RULE, 0.95, id="a sure rule asks no model"),
    ],
)
def test_the_thresholds_of_the_seed(
    changes: dict[str, Any], action: Action, method: Method, score: float
) -> None:
    made = decide(facts(**changes), POLICY)
    assert (made.action, made.method) == (action, method)
    assert made.confidence_score == pytest.approx(score, abs=1e-6)


def test_an_untrained_model_is_not_asked_and_says_so() -> None:
    told = NotTrained(because="not trained: 12 labels of 50")
    made = decide(facts(**UNSURE, model=told), POLICY)
    assert any("the model: not trained: 12 labels of 50" in reason for reason in made.reasons)


def test_a_policy_may_move_the_threshold() -> None:
    assert decide(facts(**UNSURE), DecisionPolicy(rule_confidence=0.79)).action is ROLLBACK
    assert decide(facts(), DecisionPolicy(rule_confidence=0.95)).action is REVIEW


@pytest.mark.parametrize(
    ("joined", "action"),
    [
        ((evidence(finding=Finding.FINE),), MONITOR),
        ((evidence(finding=Finding.CANNOT_TELL),), REVIEW),
        (
            (
                evidence(finding=Finding.FINE),
                evidence(KIND.LATENCY_DEGRADATION, finding=Finding.CANNOT_TELL),
            ),
            REVIEW,
        ),
    ],
    ids=["fine", "cannot tell", "fine and cannot tell"],
)
def test_where_nothing_fired_no_data_is_never_a_pass_and_never_a_rollback(
    joined: tuple[Any, ...], action: Action
) -> None:
    made = decide(facts(incident=incident(*joined), model=model(0.9)), POLICY)
    assert made.action is made.proposed is action


def test_an_incident_without_evidence_is_for_people() -> None:
    empty = Incident(env="prod", service="shop", version="v2", detected_at=NOW)
    made = decide(facts(incident=empty), POLICY)
    assert made.action is REVIEW
    assert "there is no evidence" in made.reasons[0]


def test_less_than_a_medium_triggers_limit_is_watched() -> None:
    slower = incident(evidence(KIND.PERFORMANCE_REGRESSION, 0.3))
    made = decide(facts(incident=slower), POLICY)
    assert (made.action, made.method) == (MONITOR, RULE)


HARD = analysis(affected_services=5)  # 20 + 4 × 10 = 60: high


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        pytest.param({"incident": SLOW, "analysis": HARD}, FIX, id="20 low against 60 high"),
        pytest.param({"analysis": HARD}, ROLLBACK, id="critical: the fastest known way"),
        pytest.param({"incident": SLOW}, ROLLBACK, id="20 against 20"),
        pytest.param(
            {"incident": SLOW, "analysis": analysis(affected_services=4)}, ROLLBACK, id="50"
        ),
    ],
)
def test_a_built_fix_wins_where_going_back_is_hard(changes: dict[str, Any], action: Action) -> None:
    made = decide(facts(**(changes | {"way_back": way_back(fix=Fix.BUILT)})), POLICY)
    assert made.proposed is action


def test_a_fix_that_is_not_built_does_not() -> None:
    known = facts(incident=SLOW, analysis=HARD, way_back=way_back(fix=Fix.KNOWN))
    assert decide(known, POLICY).proposed is ROLLBACK


def test_both_confidences_stand_in_the_decision() -> None:
    level = Level(trigger=KIND.CRITICAL_ERROR_RATE, nats_from=0, alarms=98, false=0)
    made = decide(facts(calibration=Calibration(fleet=(level,))), POLICY)
    assert made.confidence == pytest.approx(0.99)
    assert made.calibrated
    assert made.confidence_score == 0.95
    without = decide(facts(), POLICY)
    assert (without.confidence, without.calibrated) == (0.95, False)


def test_the_factors_are_the_seeds() -> None:
    factors = decide(facts(business_context="sale until midnight"), POLICY).factors
    assert (factors.time_of_day, factors.day_of_week) == (14, 0)
    assert factors.time_since_deployment_s == 420
    assert (factors.severity, factors.root_cause.confidence) == ("critical", 0.95)
    assert (factors.rollback_complexity.score, factors.fix_forward_complexity.score) == (20, 80)
    assert factors.business_context == "sale until midnight"
    assert set(type(factors).model_fields) == {
        "severity",
        "impact",
        "root_cause",
        "time_since_deployment_s",
        "rollback_complexity",
        "fix_forward_complexity",
        "business_context",
        "historical_patterns",
        "time_of_day",
        "day_of_week",
        "metrics",
    }


@pytest.mark.parametrize(
    ("joined", "due_s"),
    [
        ((evidence(),), 400 + 120),
        ((evidence(KIND.LATENCY_DEGRADATION, 2.5),), 400 + 300),
        ((evidence(KIND.FEATURE_REGRESSION, None),), 400 + 1800),
        ((evidence(), evidence(KIND.SECURITY_INCIDENT, None, fired_at=after(410))), 410),
        ((evidence(KIND.LATENCY_DEGRADATION, 2.5, fired_at=after(100)), evidence()), 100 + 300),
    ],
)
def test_an_answer_is_due_by_the_tables_response_time(joined: tuple[Any, ...], due_s: int) -> None:
    assert decide(facts(incident=incident(*joined)), POLICY).respond_by == after(due_s)


def test_without_an_alarm_no_answer_is_due() -> None:
    fine = incident(evidence(finding=Finding.FINE))
    assert decide(facts(incident=fine), POLICY).respond_by is None


def test_the_reasons_are_words_with_numbers() -> None:
    reasons = decide(facts(way_back=way_back(tier=Tier.T2)), POLICY).reasons
    assert reasons == (
        "critical_error_rate: v2 fails 25 of 100 requests (25.0%, limit 10% of requests fail)",
        "rule_based: rollback, 0.95: it is the release: 2 strong signs: 0.7 + 2 × 0.1, × 1.2"
        " (out for less than 30 min), at most 0.95 = 0.95",
        "deployment_timing_correlation: trouble began 360 s after v2 went out"
        " (at most 1800 s count)",
        "version_specific_error: v2 fails 25.0% (at least 22.0%) and v1 1.0% (at most 2.0%)"
        " at the same time",
        "not calibrated: 0 judged alarms at this evidence, 20 are needed",
        "impact: 240 more requests fail per minute, 24.0% of all",
        "tier (1 must agree): T2 (blue_green)",
    )


@pytest.mark.parametrize(
    ("changes", "approvers"),
    [
        ({}, ()),
        ({"way_back": way_back(tier=Tier.T2)}, ("ann", "bob")),
        ({"way_back": way_back(tier=Tier.T2), "requested_by": "ann"}, ("bob",)),
        ({"budget_left": 0, "requested_by": "ann"}, ("ann", "bob")),
        (
            {"incident": incident(evidence(source=Source.CLIENT)), "requested_by": "ann"},
            ("ann", "bob"),
        ),
    ],
    ids=["nobody is asked", "T2", "not who asked for it", "a review", "T1"],
)
def test_who_is_asked(changes: dict[str, Any], approvers: tuple[str, ...]) -> None:
    assert decide(facts(**changes), POLICY).approvers == approvers


def test_too_few_approvers_are_said_and_where_to_name_them() -> None:
    made = decide(facts(way_back=way_back(tier=Tier.T3), requested_by="ann"), POLICY)
    assert made.reasons[-1] == (
        "2 should agree and the catalogue names 1 who may; name them: environments.prod.approvers"
    )


def test_that_only_the_first_of_two_votes_counts_is_said() -> None:
    """`workflows.approval` ends the vote with the first one, whoever gives it."""
    two = decide(facts(way_back=way_back(tier=Tier.T3)), POLICY).reasons
    assert "tier (2 should agree): T3 (blue_green)" in two
    assert two[-1] == (
        "2 should agree: at level local the first vote counts, so ask the others yourself"
    )
    one = decide(facts(way_back=way_back(tier=Tier.T2)), POLICY).reasons
    assert not any("first vote" in reason for reason in one)
    counted = facts(way_back=way_back(tier=Tier.T3), level=SecurityLevel.SECURED)
    assert not any("first vote" in reason for reason in decide(counted, POLICY).reasons)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Go back to v1: 20 points, < 5 minutes."),
        ({"analysis": HARD}, "Undo the 5 services together, writers first."),
        ({"analysis": HARD}, "Have somebody watch"),
        ({"budget_left": 0}, "Ready if wanted: back to v1."),
        (
            {"analysis": analysis(changed=Changed(schema_steps=("1",)))},
            "Check what the release wrote",
        ),
        (
            {"analysis": analysis(changed=Changed(contract="1 drops a"))},
            "Fix forward (fix: unknown)",
        ),
        ({"incident": incident(evidence(finding=Finding.FINE))}, "keep watching"),
    ],
)
def test_recommendations(changes: dict[str, Any], words: str) -> None:
    assert any(words in line for line in decide(facts(**changes), POLICY).recommendations)


def test_only_a_rollback_has_a_target() -> None:
    assert decide(facts(), POLICY).target_version == "v1"
    assert decide(facts(budget_left=0), POLICY).target_version == ""


def test_the_same_facts_always_decide_the_same() -> None:
    assert decide(facts(), POLICY) == decide(facts(), POLICY)
    assert decide(facts(), POLICY).factors.rollback_complexity.factors == (
        f"deployment_type: {DeploymentType.BLUE_GREEN}",
    )
