"""Milestones follow from the status alone."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from rollback_manager.catalogue import Environment
from rollback_manager.contract import Decision
from rollback_manager.plan import ActionKind
from rollback_manager.progress import (
    DecisionRecord,
    Result,
    RollbackStatus,
    ServiceStatus,
    State,
    StepState,
    StepStatus,
)
from rollback_manager.telling.channels import told_by
from rollback_manager.telling.notices import LOUD, MOST, Milestone, notices, reported
from tests import builders as b

AT = datetime(2026, 3, 1, 14, 2, 11, tzinfo=UTC)


def status(state: State, *steps: StepStatus, **more: object) -> RollbackStatus:
    service = ServiceStatus(
        rollback=b.PARENT, service="shop", state=state, from_version="v2", to_version="v1",
        steps=steps,
    )  # fmt: skip
    whole = RollbackStatus(
        rollback=b.PARENT, env="demo", state=state, requested_by="operator-a", services=(service,)
    )
    return whole.model_copy(update=more)


def step(kind: ActionKind, state: StepState, target: str = "v1 66 %, v2 34 %") -> StepStatus:
    return StepStatus(name=str(kind), target=target, state=state, summary="seen", finished_at=AT)


def vote(decision: Decision, by: str, counted: bool = True) -> DecisionRecord:
    return DecisionRecord(
        decision=decision, by=by, method="web", reason="", at=AT, counted=counted, because="x"
    )


def of(told: RollbackStatus) -> list[Milestone]:
    return [one.milestone for one in notices(told, b.plan())]


def test_before_there_is_a_plan_nobody_is_told_anything() -> None:
    assert notices(status(State.PLANNING), None) == ()


def test_a_question_is_asked_and_answered() -> None:
    assert of(status(State.WAITING_FOR_APPROVAL)) == [Milestone.ASKED]
    votes = (vote(Decision.APPROVE, "eve", counted=False), vote(Decision.APPROVE, "ana"))
    told = status(State.WAITING_FOR_APPROVAL, decisions=votes)
    assert of(told) == [Milestone.ASKED, Milestone.APPROVED], "what was ignored is no milestone"


def test_a_broken_glass_is_told_to_everybody() -> None:
    told = status(State.RUNNING, break_glass="ana@example.com", reason="nobody answers")
    (broken,) = [n for n in notices(told, b.plan()) if n.milestone is Milestone.BREAK_GLASS]
    assert broken.text.startswith("BREAK-GLASS by ana@example.com: nobody was asked")
    assert broken.milestone in LOUD


def test_each_share_and_each_verdict_is_told_once_with_its_time() -> None:
    told = status(
        State.RUNNING,
        step(ActionKind.PREPARE, StepState.DONE),
        step(ActionKind.REDIRECT_TRAFFIC, StepState.DONE, "v1 33 %, v2 67 %"),
        step(ActionKind.CHECK_SLICE, StepState.DONE),
        step(ActionKind.REDIRECT_TRAFFIC, StepState.DONE, "v1 100 %"),
        step(ActionKind.REDIRECT_TRAFFIC, StepState.RUNNING),
        step(ActionKind.VERIFY, StepState.DONE),
    )
    found = notices(told, b.plan())
    assert [one.milestone for one in found] == [
        Milestone.ASKED, Milestone.STARTED, Milestone.SHARE, Milestone.SHARE, Milestone.VERDICT,
    ]  # fmt: skip
    assert [one.text for one in found[2:]] == [
        "traffic v1 33 %, v2 67 %", "traffic v1 100 %", "verify done: seen",
    ]  # fmt: skip
    assert found[-1].at == AT
    assert len({one.key for one in found}) == len(found)


def test_who_waits_for_a_person_says_for_what() -> None:
    told = status(State.NEEDS_HUMAN, waits_for="verify failed: 9 % errors")
    assert of(told)[-1] is Milestone.NEEDS_PERSON
    assert notices(told, b.plan())[-1].text == "needs a person: verify failed: 9 % errors"


def test_the_end_says_what_it_means_for_production() -> None:
    told = status(State.FINISHED, outcome=b.outcome())
    text = notices(told, b.plan())[-1].text
    assert text.startswith("VERIFIED · Production is on the known-good release.")


def test_what_was_refused_was_never_started() -> None:
    refused = b.outcome(result=Result.REJECTED, services=(b.service_outcome(steps=()),))
    told = status(State.FINISHED, outcome=refused)
    assert of(told) == [Milestone.ASKED, Milestone.DONE]


def test_a_flood_of_milestones_is_cut() -> None:
    many = [step(ActionKind.REDIRECT_TRAFFIC, StepState.DONE)] * 300
    assert len(notices(status(State.RUNNING, *many), b.plan())) == MOST


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\u202eb", "x" * 5000, "line\nline"])
def test_foreign_text_cannot_forge_a_line(text: str) -> None:
    for one in notices(status(State.NEEDS_HUMAN, waits_for=text, requested_by=text), b.plan()):
        assert len(one.text) < 700
        assert not set("\n\x1b\u202e") & set(one.text)


@pytest.mark.parametrize("kind", ActionKind)
def test_only_shifts_and_verdicts_are_reported(kind: ActionKind) -> None:
    told = kind in {ActionKind.REDIRECT_TRAFFIC, ActionKind.VERIFY}
    assert reported(str(kind), StepState.DONE) is told
    assert not reported(str(kind), StepState.RUNNING)


def test_the_gate_says_who_will_be_told() -> None:
    assert told_by(("slack", "mail")) == "told at each milestone: slack, mail"
    assert told_by(()) == ""


SLACK = {"kind": "slack", "channel": "C0OPS", "token": "env:SLACK_TOKEN"}


@pytest.mark.parametrize(
    "wrong",
    [
        [SLACK, SLACK],
        [{**SLACK, "token": "xoxb-a-token"}],
        [{**SLACK, "channel": "#ops"}],
        [{"kind": "telegram"}],
        [{"kind": "email", "host": "m", "sender": "a@b.c\nBcc: d@e.f", "to": ["a@b.c"]}],
        [
            {"kind": "email", "host": "m", "sender": "a@b.c", "to": ["a@b.c"], "user": "u",
             "password": "env:P", "encryption": "none"}
        ],
    ],
)  # fmt: skip
def test_a_channel_that_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Environment.model_validate({"notifications": wrong}, extra="forbid")
