"""Policies: the numbers of the notes, and nothing that would switch a safeguard off by a typo."""

from typing import Any

import pytest
from pydantic import ValidationError

from rollback_manager.policy import (
    ApprovalPolicy,
    DecisionPolicy,
    OnExpiry,
    Policy,
    VerificationPolicy,
)


def test_the_defaults_are_those_of_the_notes() -> None:
    policy = Policy()
    assert policy.floor_fraction == 0.66  # reliability R1
    assert (policy.confirmed_share, policy.confirmed_requests) == (0.99, 100)  # seed, R3
    assert policy.timeouts.drain_s > 300  # R6: a load balancer's own delay
    assert policy.verification.min_window_s == policy.verification.max_age_s == 60  # R12
    assert policy.timeouts.heartbeat_s == 10  # R16


def test_silence_never_approves() -> None:
    assert {str(way) for way in OnExpiry} == {"hold", "reject"}
    assert ApprovalPolicy().required
    assert ApprovalPolicy().on_expiry is OnExpiry.HOLD


def test_the_shortest_window_fits_into_the_longest() -> None:
    assert VerificationPolicy().min_window_s < VerificationPolicy().max_window_s


@pytest.mark.parametrize(
    "written",
    [
        {"floor_fraction": 66},
        {"floor_fraction": -0.1},
        {"confirmed_share": 99},
        {"confirmed_requests": -1},
        {"keep_instances": -1},
        {"rehearsed_within_days": -1},
        {"time_limit_s": -1},
        {"time_limit_s": float("nan")},
        {"plan_valid_s": float("inf")},
        {"approval": {"deadline_s": -1}},
        {"approval": {"on_expiry": "approve"}},
        {"verification": {"error_ratio_margin": 1.1}},
        {"verification": {"latency_factor": float("nan")}},
        {"timeouts": {"prepare_s": 0}},
        {"timeouts": {"redirect_traffic_s": 0}},
        {"timeouts": {"drain_s": 0}},
        {"timeouts": {"clean_up_s": 0}},
        {"timeouts": {"heartbeat_s": 0}},
    ],
    ids=str,
)
def test_a_number_that_makes_no_sense_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(written)


def test_a_policy_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Policy(), "floor_fraction", 0.1)  # noqa: B010  # mypy would refuse the plain way


def test_what_a_newer_build_wrote_is_read() -> None:
    assert Policy.model_validate({"of_a_newer_build": 1}) == Policy()


def test_the_decisions_defaults_are_the_seeds() -> None:
    policy = DecisionPolicy()
    limits, points = policy.limits, policy.complexity
    assert (limits.error_ratio, limits.latency_factor, limits.unhealthy_share) == (0.1, 2.0, 0.3)
    assert (limits.business_drop, limits.throughput_drop) == (0.2, 0.5)
    assert (policy.strong_base, policy.weak_base, policy.per_indicator) == (0.7, 0.3, 0.1)
    assert (policy.recent_s, policy.recent_factor) == (1800, 1.2)
    assert (policy.old_s, policy.old_factor) == (86_400, 0.8)
    assert policy.highest_confidence == 0.95
    assert (policy.rule_confidence, policy.model_confidence) == (0.8, 0.7)
    assert policy.manual_confidence == 0.5
    assert (points.data_changes, points.further_service, points.dependency) == (30, 10, 5)
    assert (points.medium_from, points.high_from) == (30, 60)
    assert policy.stale_after_s == 300  # Teletraan
    assert policy.cool_down_s == 1800  # reliability R9
    assert policy.fresh_s == 60  # R12


@pytest.mark.parametrize(
    "written",
    [
        {"limits": {"error_ratio": 10}},
        {"limits": {"latency_factor": 1}},
        {"limits": {"unhealthy_share": 30}},
        {"limits": {"business_drop": -0.2}},
        {"complexity": {"canary": -1}},
        {"rule_confidence": 80},
        {"recent_factor": 0.9},
        {"old_factor": 1.2},
        {"load_factor": 1},
        {"cool_down_s": -1},
        {"per_indicator": float("nan")},
    ],
    ids=str,
)
def test_a_threshold_in_the_wrong_unit_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DecisionPolicy.model_validate(written)


def test_a_decisions_thresholds_are_no_part_of_a_plan() -> None:
    assert "decision" not in Policy.model_fields  # decision 27: they would count into its digest
