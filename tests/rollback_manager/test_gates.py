"""Gates: each answers, and one without a source never passes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager import gates
from rollback_manager.gates import (
    BeforeFacts,
    CompletionFacts,
    DuringFacts,
    GateAnswer,
    GateResult,
    Group,
)
from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.verification import Answer, Verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PASSED, FAILED, INCONCLUSIVE, NOT_APPLICABLE = GateAnswer


def reading(errors: int, requests: int = 4800) -> Reading:
    return Reading(
        version="v2",
        requests=requests,
        errors=errors,
        latency_p95_ms=None,
        window_s=60,
        taken_at=NOW,
    )


def before(**changes: Any) -> dict[str, GateResult]:
    seen: dict[str, Any] = {
        "strategy": "blue_green",
        "touches_data": False,
        "last_rehearsed": NOW - timedelta(days=3),
        "rehearsed_within_days": 30,
        "bad": reading(528),
        "good_error_ratio": 0.001,
        "requested_by": "operator-a",
        "security": "local",
        "approval_required": True,
        "told": "",
        "now": NOW,
    }
    return by_name(gates.before(BeforeFacts(**(seen | changes))))


def by_name(results: tuple[GateResult, ...]) -> dict[str, GateResult]:
    assert all(result.because for result in results)
    return {result.gate: result for result in results}


def during(**changes: Any) -> dict[str, GateResult]:
    seen: dict[str, Any] = {
        "lowest_ready": 2,
        "floor": 2,
        "steps_confirmed": 5,
        "steps_planned": 5,
        "halts": (),
        "commands": (),
    }
    return by_name(gates.during(DuringFacts(**(seen | changes))))


def completion(**changes: Any) -> dict[str, GateResult]:
    seen: dict[str, Any] = {
        "seconds": 92,
        "time_limit_s": 900,
        "rolled_back": ("shop",),
        "others": (),
        "own_errors": 0,
        "report": "from history",
    }
    return by_name(gates.completion(CompletionFacts(**(seen | changes))))


def verdict(check: str, answer: Answer, because: str = "figures") -> Verdict:
    return Verdict(check=check, answer=answer, because=because)


def test_all_gates_of_the_seed_are_there() -> None:
    groups = before(), during(), by_name(gates.after(())), completion()
    assert [len(group) for group in groups] == [5, 4, 5, 4]
    for group, results in zip(Group, groups, strict=True):
        assert {result.group for result in results.values()} == {group}


@pytest.mark.parametrize(
    ("gate", "changes", "answer", "because"),
    [
        ("backup_verification", {}, NOT_APPLICABLE, "touches no data"),
        ("backup_verification", {"touches_data": True}, INCONCLUSIVE, "no source of backups"),
        ("rollback_procedure_tested", {}, PASSED, "3 d ago (limit 30 d)"),
        (
            "rollback_procedure_tested",
            {"last_rehearsed": NOW - timedelta(days=30)},
            PASSED,
            "30 d ago",
        ),
        (
            "rollback_procedure_tested",
            {"last_rehearsed": NOW - timedelta(days=30, seconds=1)},
            INCONCLUSIVE,
            "30 d ago",
        ),
        ("rollback_procedure_tested", {"last_rehearsed": None}, INCONCLUSIVE, "no rehearsal"),
        ("impact_assessment", {}, PASSED, "v2 fails 11.0% of 4800 requests"),
        ("impact_assessment", {"bad": reading(5)}, INCONCLUSIVE, "do not show that it is worse"),
        ("impact_assessment", {"good_error_ratio": None}, INCONCLUSIVE, "no baseline"),
        ("impact_assessment", {"good_error_ratio": 0.0}, PASSED, "normal is 0.0%"),
        (
            "impact_assessment",
            {"bad": NoReading(version="v2", because="no answer was counted")},
            INCONCLUSIVE,
            "no answer was counted",
        ),
        ("authorization", {}, PASSED, "local operator, not authenticated; a person must approve"),
        (
            "authorization",
            {"security": "secured", "approval_required": False},
            PASSED,
            "only signed decisions count; policy asks for no approval",
        ),
        ("authorization", {"requested_by": ""}, FAILED, "nobody is named"),
        ("communication", {}, NOT_APPLICABLE, "no channel"),
        ("communication", {"told": "#shop was told"}, PASSED, "#shop was told"),
    ],
)
def test_the_gates_before(
    gate: str, changes: dict[str, Any], answer: GateAnswer, because: str
) -> None:
    result = before(**changes)[gate]
    assert result.answer is answer
    assert because in result.because


@pytest.mark.parametrize(
    ("gate", "changes", "answer", "because"),
    [
        ("health_monitoring", {}, PASSED, "lowest ready 2, floor 2"),
        ("health_monitoring", {"lowest_ready": 1}, FAILED, "lowest ready 1, floor 2"),
        ("health_monitoring", {"lowest_ready": None}, INCONCLUSIVE, "never read"),
        ("progress_validation", {}, PASSED, "5 of 5 steps"),
        ("progress_validation", {"steps_confirmed": 4}, FAILED, "4 of 5 steps"),
        ("automatic_halting", {}, PASSED, "armed; no step failed"),
        ("automatic_halting", {"halts": ("drain", "verify")}, PASSED, "halted: drain; verify"),
        ("manual_override", {}, PASSED, "open; not used"),
        ("manual_override", {"commands": ("pause by a",)}, PASSED, "used: pause by a"),
    ],
)
def test_the_gates_during(
    gate: str, changes: dict[str, Any], answer: GateAnswer, because: str
) -> None:
    result = during(**changes)[gate]
    assert result.answer is answer
    assert because in result.because


@pytest.mark.parametrize(
    ("gate", "verdicts", "answer"),
    [
        ("system_health", (("instances", Answer.PASSED),), PASSED),
        ("system_health", (("instances", Answer.FAILED),), FAILED),
        ("system_health", (("error_ratio", Answer.PASSED),), NOT_APPLICABLE),
        ("functional_tests", (("journey: checkout", Answer.PASSED),), PASSED),
        (
            "functional_tests",
            (("journey: a", Answer.PASSED), ("journey: b", Answer.FAILED)),
            FAILED,
        ),
        ("functional_tests", (("journey: a", Answer.ERROR),), INCONCLUSIVE),
        (
            "performance_metrics",
            (("error_ratio", Answer.PASSED), ("latency_p95", Answer.INCONCLUSIVE)),
            INCONCLUSIVE,
        ),
        (
            "performance_metrics",
            (("error_ratio", Answer.PASSED), ("throughput", Answer.FAILED)),
            FAILED,
        ),
        ("business_metrics", (("error_ratio", Answer.PASSED),), NOT_APPLICABLE),
        ("data_integrity", (("error_ratio", Answer.PASSED),), NOT_APPLICABLE),
    ],
)
def test_the_gates_after(
    gate: str, verdicts: tuple[tuple[str, Answer], ...], answer: GateAnswer
) -> None:
    assert by_name(gates.after(tuple(verdict(*one) for one in verdicts)))[gate].answer is answer


def test_a_gate_after_passes_with_all_figures_or_names_the_worst() -> None:
    good = verdict("error_ratio", Answer.PASSED, "0 of 9000")
    bad = verdict("latency_p95", Answer.FAILED, "P95 99 ms")
    fine = verdict("throughput", Answer.PASSED, "80/s")
    assert by_name(gates.after((good, fine)))["performance_metrics"].because == "0 of 9000; 80/s"
    assert by_name(gates.after((good, bad, fine)))["performance_metrics"].because == "P95 99 ms"


@pytest.mark.parametrize(
    ("gate", "changes", "answer", "because"),
    [
        ("time_limit", {}, PASSED, "92 s of 900 s"),
        ("time_limit", {"seconds": 900}, PASSED, "900 s of 900 s"),
        ("time_limit", {"seconds": 901}, FAILED, "901 s of 900 s"),
        ("success_threshold", {}, PASSED, "1 of 1 services"),
        ("success_threshold", {"rolled_back": ()}, FAILED, "0 of 0 services"),
        ("success_threshold", {"others": ("cart mixed",)}, FAILED, "1 of 2 services; not: cart"),
        ("user_impact", {}, PASSED, "0 answers failed"),
        ("user_impact", {"own_errors": 3}, FAILED, "3 answers failed"),
        ("user_impact", {"own_errors": None}, INCONCLUSIVE, "was not read"),
        ("documentation", {}, PASSED, "from history"),
    ],
)
def test_the_gates_of_completion(
    gate: str, changes: dict[str, Any], answer: GateAnswer, because: str
) -> None:
    result = completion(**changes)[gate]
    assert result.answer is answer
    assert because in result.because


@pytest.mark.parametrize(("left", "answer"), [(1, PASSED), (5, FAILED)])
def test_more_than_95_percent_passes_and_still_lists_the_rest(
    left: int, answer: GateAnswer
) -> None:
    back = tuple(f"s{number}" for number in range(100 - left))
    result = completion(rolled_back=back, others=("cart mixed",) * left)["success_threshold"]
    assert result.answer is answer
    assert "not: cart mixed" in result.because


@given(st.integers(0, 200), st.floats(0, 1))
def test_impact_passes_only_when_the_bad_version_is_shown_to_be_worse(
    errors: int, normal: float
) -> None:
    result = before(bad=reading(errors, 200), good_error_ratio=normal)["impact_assessment"]
    if result.answer is PASSED:
        assert errors / 200 > normal
