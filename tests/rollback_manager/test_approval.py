"""Votes: one counts only for the plan that its giver saw, in time, and once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.approval import Ballot, judge_vote
from rollback_manager.contract import Decision, Vote
from rollback_manager.policy import ApprovalPolicy
from tests.builders import plan

OPENED = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
DIGEST = plan().digest
OTHER = plan(env="production").digest


def ballot(**changes: Any) -> Ballot:
    made: dict[str, Any] = {"digest": DIGEST, "opened_at": OPENED, "policy": ApprovalPolicy()}
    return Ballot(**(made | changes))


def vote(quoted: str = DIGEST, by: str = "operator-b") -> Vote:
    return Vote(plan=quoted, by=by)


def after(seconds: float) -> datetime:
    return OPENED + timedelta(seconds=seconds)


@pytest.mark.parametrize("quoted", [DIGEST, DIGEST[:12], DIGEST[:40]])
def test_a_vote_for_this_plan_counts(quoted: str) -> None:
    answer = judge_vote(vote(quoted), ballot(), after(1)).answer
    assert answer.applied
    assert answer.because == f"counted for plan {DIGEST[:4]}…{DIGEST[-2:]}"


@pytest.mark.parametrize(
    ("quoted", "because"),
    [
        (OTHER, "the vote quotes plan"),
        (OTHER[:12], "the vote quotes plan"),
        (DIGEST[:11], "the vote quotes plan"),
        (DIGEST[-12:], "the vote quotes plan"),
        (DIGEST + "0", "the vote quotes plan"),
        ("", "the vote quotes plan …"),
    ],
)
def test_a_vote_for_another_plan_does_not_count(quoted: str, because: str) -> None:
    answer = judge_vote(vote(quoted), ballot(), after(1)).answer
    assert not answer.applied
    assert because in answer.because


def test_a_vote_for_a_plan_that_has_changed_is_void() -> None:
    first = plan()
    changed = first.model_copy(update={"time_limit_s": 1.0}).sealed()
    assert not judge_vote(
        vote(first.digest), ballot(digest=changed.digest), after(1)
    ).answer.applied


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_a_vote_needs_a_name(name: str) -> None:
    assert judge_vote(vote(by=name), ballot(), after(1)).answer.because == "a vote needs a name"


@pytest.mark.parametrize(("seconds", "counts"), [(0, True), (3600, True), (3600.001, False)])
def test_a_vote_after_the_deadline_does_not_count(seconds: float, counts: bool) -> None:
    answer = judge_vote(vote(), ballot(), after(seconds)).answer
    assert answer.applied is counts
    assert counts or answer.because == "the deadline was 15:00:00Z"


@pytest.mark.parametrize("decision", Decision)
def test_only_the_first_decision_counts(decision: Decision) -> None:
    answer = judge_vote(vote(), ballot(decided=decision), after(1)).answer
    assert answer.because == f"it was decided before: {decision}"
    assert not answer.applied


def test_a_closed_ballot_says_why() -> None:
    answer = judge_vote(vote(), ballot(closed_because="it was aborted"), after(1)).answer
    assert (answer.applied, answer.because) == (False, "it was aborted")


@given(
    quoted=st.sampled_from([DIGEST, DIGEST[:12], DIGEST[:5], OTHER, ""]),
    by=st.sampled_from(["operator-b", "", " "]),
    decided=st.sampled_from([None, *Decision]),
    closed=st.sampled_from(["", "it was aborted"]),
    seconds=st.floats(0, 8000),
)
def test_a_vote_counts_only_if_everything_is_right(
    quoted: str, by: str, decided: Decision | None, closed: str, seconds: float
) -> None:
    judged = judge_vote(
        vote(quoted, by), ballot(decided=decided, closed_because=closed), after(seconds)
    ).answer
    right = quoted in {DIGEST, DIGEST[:12]} and by == "operator-b" and decided is None
    assert judged.applied == (right and not closed and after(seconds) <= ballot().deadline)
    assert judged.because
