"""What several services add up to; and that the whole never sounds better than it is."""

from collections.abc import Mapping

import pytest

from rollback_manager.conclusion import rollback_outcome
from rollback_manager.fleet import together
from rollback_manager.gates import GateAnswer, GateResult, Group
from rollback_manager.plan import Estimate, Risk
from rollback_manager.policy import ApprovalPolicy, OnExpiry, Policy
from rollback_manager.progress import EndState, Result, ServiceOutcome, exit_code
from rollback_manager.verification import Answer, Verdict
from tests import builders as b


def policy(
    *, required: bool, deadline_s: float = 900, on_expiry: OnExpiry = OnExpiry.HOLD
) -> Policy:
    asked = ApprovalPolicy(required=required, deadline_s=deadline_s, on_expiry=on_expiry)
    return Policy(approval=asked)


def test_one_service_that_asks_for_a_person_is_enough() -> None:
    free, strict = policy(required=False), policy(required=True, deadline_s=60)
    made = together.approval([free, strict, free])
    assert (made.required, made.deadline_s) == (True, 60)
    assert not together.approval([free, free]).required


def test_where_one_says_reject_silence_rejects_all() -> None:
    rejects = policy(required=True, on_expiry=OnExpiry.REJECT)
    assert together.approval([policy(required=True), rejects]).on_expiry is OnExpiry.REJECT


def gate(answer: GateAnswer, because: str) -> tuple[GateResult, ...]:
    return (GateResult(group=Group.BEFORE, gate="g", answer=answer, because=because),)


@pytest.mark.parametrize(
    ("answers", "worst", "because"),
    [
        ({"a": gate(GateAnswer.PASSED, "x"), "b": gate(GateAnswer.PASSED, "x")}, "passed", "x"),
        ({"a": gate(GateAnswer.PASSED, "x"), "b": gate(GateAnswer.FAILED, "y")}, "failed", "b: y"),
        (
            {"a": gate(GateAnswer.NOT_APPLICABLE, "x"), "b": gate(GateAnswer.PASSED, "y")},
            "passed",
            "b: y",
        ),
        (
            {"a": gate(GateAnswer.INCONCLUSIVE, "x"), "b": gate(GateAnswer.PASSED, "x")},
            "inconclusive",
            "a: x",
        ),
    ],
)
def test_a_gate_answers_once_and_as_its_worst_service_does(
    answers: Mapping[str, tuple[GateResult, ...]], worst: str, because: str
) -> None:
    (made,) = together.gates(answers)
    assert (made.answer, made.because) == (worst, because)


def test_a_check_that_failed_for_one_service_failed() -> None:
    def verdict(answer: Answer) -> tuple[Verdict, ...]:
        return (Verdict(check="journey", answer=answer, because=f"it {answer}"),)

    (made,) = together.verdicts({"a": verdict(Answer.PASSED), "b": verdict(Answer.FAILED)})
    assert (made.answer, made.because) == (Answer.FAILED, "b: it failed")


def test_the_time_of_all_is_wave_after_wave_and_round_after_round() -> None:
    times = {
        name: Estimate(traffic_back_s=back, verified_s=well, source="s")
        for name, back, well in (("a", 10, 60), ("b", 20, 90), ("c", 5, 30), ("d", 8, 40))
    }
    made = together.estimate(times, (("a", "b", "c"), ("d",)), 2)
    assert (made.traffic_back_s, made.verified_s) == (2 * 90 + 8, 2 * 90 + 40)
    assert together.estimate({"a": times["a"]}, (("a",),), 2) == times["a"]


def test_a_risk_is_told_once_with_the_services_that_have_it() -> None:
    risk = Risk(risk="it is cold", mitigation="slices")
    all_of_them = {"a": (risk,), "b": (risk,)}
    assert together.risks(all_of_them) == (risk,)
    assert together.risks({"a": (risk,), "b": ()})[0].risk == "a: it is cold"


def test_what_is_agreed_to_says_how_wide_it_goes_and_what_an_abort_leaves() -> None:
    said = " ".join(together.abort_when([b.service_plan("a"), b.service_plan("b")], 7))
    assert "at most 7 services are under way at once" in said
    assert "the next wave waits for a person" in said
    assert "services that have ended stay as they are, also with --restore" in said


def whole(*ends: tuple[str, EndState, bool]) -> tuple[ServiceOutcome, ...]:
    return tuple(
        b.service_outcome(service=name, end=end, verified=verified, because=f"why {end}")
        for name, end, verified in ends
    )


BACK = EndState.ROLLED_BACK


def test_more_than_95_percent_never_hides_the_rest() -> None:
    names = [f"s{number:02}" for number in range(40)]
    plan = b.plan(services=tuple(map(b.service_plan, names)), waves=(tuple(names),))
    ends = [*((name, BACK, True) for name in names[:-1]), (names[-1], EndState.UNTOUCHED, False)]
    outcome = rollback_outcome("rollback/demo/k", plan, whole(*ends), None, 9)
    threshold = next(g for g in outcome.gates if g.gate == "success_threshold")
    assert threshold.answer is GateAnswer.PASSED
    assert threshold.because == "39 of 40 services; not: s39 untouched"
    assert outcome.result is Result.NOT_VERIFIED
    assert exit_code(outcome) == 6
    assert outcome.effect.startswith("Production is MIXED: act now. Services: untouched: s39;")
    assert "s39 untouched: why untouched" in outcome.because


def test_the_floor_that_is_told_is_of_the_service_that_came_closest_to_it() -> None:
    small = b.service_plan("a").model_copy(update={"floor": 2})
    large = b.service_plan("b").model_copy(update={"floor": 20})
    plan = b.plan(services=(small, large), waves=(("a", "b"),))
    (few,), (many,) = whole(("a", BACK, True)), whole(("b", BACK, True))
    many = many.model_copy(
        update={"steps": tuple(s.model_copy(update={"lowest_ready": 25}) for s in many.steps)}
    )
    outcome = rollback_outcome("rollback/demo/k", plan, (few, many), None, 9)
    health = next(g for g in outcome.gates if g.gate == "health_monitoring")
    assert (health.answer, health.because) == (GateAnswer.PASSED, "lowest ready 2, floor 2")
