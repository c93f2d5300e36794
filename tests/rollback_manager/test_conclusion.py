"""The conclusion: declared from what was found, with every gate answered."""

from typing import Any

import pytest

from rollback_manager.conclusion import rollback_outcome, service_outcome
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.gates import GateAnswer, Group
from rollback_manager.plan import ActionKind, RollbackPlan
from rollback_manager.progress import (
    EndState,
    Found,
    Result,
    RollbackOutcome,
    ServiceOutcome,
    StepState,
    exit_code,
)
from tests.builders import NEW, OLD, plan, service_plan, step, steps

BACK = Found(shares={OLD: 100}, ready={OLD: 2})
AS_BEFORE = Found(shares={NEW: 100}, ready={NEW: 2})
HALF = Found(shares={OLD: 50, NEW: 50}, ready={OLD: 2, NEW: 2})
WELL = step(ActionKind.VERIFY, 0, 1, written="")
SHIFT = step(ActionKind.REDIRECT_TRAFFIC, 0, 1)
NOTHING_TO_DO = step(ActionKind.PREPARE, 0, 1, written="")


def service(found: Found | None, *records: Any, **more: Any) -> ServiceOutcome:
    asked: dict[str, Any] = {"abort": None, "halts": (), "commands": (), "epoch": 7}
    return service_outcome(service_plan(), found=found, steps=records, **(asked | more))


def whole(
    *services: ServiceOutcome,
    refused: Result | None = None,
    seconds: float = 92,
    of: RollbackPlan | None = None,
) -> RollbackOutcome:
    return rollback_outcome("rollback/demo/inc-1", of or plan(), services, refused, seconds)


@pytest.mark.parametrize(
    ("found", "records", "end", "verified"),
    [
        (BACK, (SHIFT, WELL), EndState.ROLLED_BACK, True),
        (BACK, (SHIFT,), EndState.ROLLED_BACK, False),
        (HALF, (SHIFT, WELL), EndState.MIXED, False),
        (AS_BEFORE, (SHIFT, WELL), EndState.RESTORED, False),
        (AS_BEFORE, (NOTHING_TO_DO,), EndState.UNTOUCHED, False),
        (AS_BEFORE, (), EndState.UNTOUCHED, False),
        (None, (SHIFT, WELL), EndState.UNKNOWN, False),
    ],
)
def test_a_service_ends_as_it_was_found(
    found: Found | None, records: tuple[Any, ...], end: EndState, verified: bool
) -> None:
    ended = service(found, *records)
    assert (ended.end, ended.verified) == (end, verified)
    assert ended.found == found


@pytest.mark.parametrize("state", [state for state in StepState if state is not StepState.DONE])
def test_only_a_verification_that_passed_verifies(state: StepState) -> None:
    assert not service(BACK, SHIFT, step(ActionKind.VERIFY, 0, 1, state=state)).verified


def test_other_steps_verify_nothing() -> None:
    others = [step(kind, 0, 1) for kind in ActionKind if kind is not ActionKind.VERIFY]
    assert not service(BACK, *others).verified


@pytest.mark.parametrize(
    ("abort", "records", "because"),
    [
        (None, (WELL,), "users were shown to be well"),
        (None, (), "the steps ended without proof that users are well"),
        (AbortCommand(by="a"), (WELL,), "hold by a"),
        (
            AbortCommand(mode=AbortMode.RESTORE, by="a", reason="too slow"),
            (),
            "restore by a: too slow",
        ),
    ],
)
def test_a_service_says_why_it_ended(
    abort: AbortCommand | None, records: tuple[Any, ...], because: str
) -> None:
    ended = service(BACK, *records, abort=abort)
    assert ended.because == because
    assert ended.aborted is (abort is not None)


def test_what_was_done_is_kept_without_its_samples() -> None:
    kept = service(BACK, *steps(), halts=("drain",), commands=("pause by a",))
    assert any(record.samples for record in steps())
    assert not any(record.samples for record in kept.steps)
    assert [record.kind for record in kept.steps] == [record.kind for record in steps()]
    assert (kept.halts, kept.commands, kept.epoch) == (("drain",), ("pause by a",), 7)


@pytest.mark.parametrize(
    ("ended", "result", "code"),
    [
        (service(BACK, SHIFT, WELL), Result.VERIFIED, 0),
        (service(BACK, SHIFT), Result.NOT_VERIFIED, 5),
        (service(AS_BEFORE, SHIFT), Result.NOT_VERIFIED, 5),
        (service(HALF, SHIFT, WELL), Result.NOT_VERIFIED, 6),
        (service(None, SHIFT, WELL), Result.NOT_VERIFIED, 6),
        (service(BACK, SHIFT, WELL, abort=AbortCommand()), Result.ABORTED, 3),
        (service(HALF, SHIFT, abort=AbortCommand()), Result.ABORTED, 6),
    ],
)
def test_a_rollback_ends_as_its_services_did(
    ended: ServiceOutcome, result: Result, code: int
) -> None:
    outcome = whole(ended)
    assert outcome.result is result
    assert exit_code(outcome) == code
    assert outcome.because == f"shop {ended.end}: {ended.because}"
    assert outcome.next_step == "Read it: rollback-manager report rollback/demo/inc-1"


def test_a_rollback_of_which_nothing_is_known_is_not_verified() -> None:
    assert whole().result is Result.NOT_VERIFIED


def test_a_rollback_is_verified_only_when_every_planned_service_is() -> None:
    two = plan(services=(service_plan("shop"), service_plan("cart")))
    shop = service(BACK, SHIFT, WELL)
    cart = shop.model_copy(update={"service": "cart"})
    assert whole(shop, of=two).result is Result.NOT_VERIFIED
    assert whole(shop, cart, of=two).result is Result.VERIFIED
    unproven = cart.model_copy(update={"verified": False})
    assert whole(shop, unproven, of=two).result is Result.NOT_VERIFIED


@pytest.mark.parametrize(
    ("refused", "because", "code"),
    [
        (Result.REJECTED, "the plan was not approved", 3),
        (Result.EXPIRED, "nobody answered within 3600 s; the policy says hold", 5),
    ],
)
def test_a_refused_rollback_names_the_reason_and_what_to_do(
    refused: Result, because: str, code: int
) -> None:
    outcome = whole(service(AS_BEFORE), refused=refused)
    assert (outcome.result, outcome.because) == (refused, because)
    assert outcome.effect == "Production is unchanged."
    assert outcome.next_step.startswith("Start again")
    assert outcome.gates == plan().gates
    assert exit_code(outcome) == code


def gates_of(outcome: RollbackOutcome) -> dict[str, tuple[GateAnswer, str]]:
    return {gate.gate: (gate.answer, gate.because) for gate in outcome.gates}


def test_all_groups_of_gates_are_answered() -> None:
    ended = whole(service(BACK, *steps()))
    assert {gate.group for gate in ended.gates} == set(Group)
    answers = gates_of(ended)
    assert answers["health_monitoring"] == (GateAnswer.PASSED, "lowest ready 2, floor 2")
    assert answers["progress_validation"] == (GateAnswer.PASSED, "5 of 5 steps confirmed")
    assert answers["performance_metrics"] == (GateAnswer.PASSED, "0 of 4880 failed")
    assert answers["time_limit"] == (GateAnswer.PASSED, "92 s of 900 s")
    assert answers["success_threshold"] == (GateAnswer.PASSED, "1 of 1 services")
    assert answers["user_impact"][0] is GateAnswer.PASSED


def test_the_worst_moment_of_all_steps_is_judged() -> None:
    low = step(ActionKind.DRAIN, 0, 1, lowest_ready=1, own_errors=3)
    answers = gates_of(whole(service(BACK, SHIFT, low, WELL)))
    assert answers["health_monitoring"] == (GateAnswer.FAILED, "lowest ready 1, floor 2")
    assert answers["user_impact"][1].startswith("3 answers failed")


def test_what_was_never_read_is_not_passed() -> None:
    blind = step(ActionKind.REDIRECT_TRAFFIC, 0, 1, lowest_ready=None, own_errors=None)
    answers = gates_of(whole(service(HALF, blind, halts=("the proxy is silent",))))
    assert answers["health_monitoring"][0] is GateAnswer.INCONCLUSIVE
    assert answers["user_impact"][0] is GateAnswer.INCONCLUSIVE
    assert answers["performance_metrics"][0] is GateAnswer.NOT_APPLICABLE
    assert answers["automatic_halting"][1] == "halted: the proxy is silent"
    assert answers["success_threshold"] == (GateAnswer.FAILED, "0 of 1 services; not: shop mixed")
