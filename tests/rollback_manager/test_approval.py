"""Votes: one counts only for the plan that its giver saw, in time, and once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.approval import Ballot, judge_vote, with_vote
from rollback_manager.authority.quorum import Quorum
from rollback_manager.calling import called, next_call
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


TWO = Quorum(votes=2, not_requester=True, among=("leads", "payments"))


def agreed(of: Ballot, by: str, decision: Decision = Decision.APPROVE) -> tuple[Ballot, str]:
    """The ballot after that vote, and the answer."""
    judged = judge_vote(vote(by=by), of, after(1), decision)
    known = judged.by.model_copy(update={"groups": ("leads",)})
    if judged.answer.applied:
        return with_vote(of, decision, known), judged.answer.because
    return of, judged.answer.because


def test_two_people_agree_one_after_another_and_neither_twice() -> None:
    one = Ballot(digest=DIGEST, opened_at=OPENED, policy=ApprovalPolicy(), quorum=Quorum(votes=2))
    first, because = agreed(one, "ana")
    assert because.endswith(": 1 of 2")
    assert first.decided is None
    same, because = agreed(first, "ana")
    assert because == "ana has agreed already (1 of 2): somebody else must, too"
    assert same == first
    second, _ = agreed(first, "bo")
    assert (second.decided, second.stand) == (Decision.APPROVE, "2 of 2")


def test_one_no_is_a_no_whatever_was_agreed_before() -> None:
    one = Ballot(digest=DIGEST, opened_at=OPENED, policy=ApprovalPolicy(), quorum=Quorum(votes=3))
    first, _ = agreed(one, "ana")
    assert agreed(first, "bo", Decision.REJECT)[0].decided is Decision.REJECT


def test_neither_the_requester_nor_a_stranger_agrees_but_the_requester_may_say_no() -> None:
    strict = ballot(quorum=TWO, requesters=("ana", "ci:github/1"))
    assert agreed(strict, "ana")[1] == "ana asked for it: somebody else approves"
    assert agreed(strict, "eve")[1] == "eve is none of leads, payments"
    assert agreed(strict, "ana", Decision.REJECT)[0].decided is Decision.REJECT


def test_people_are_told_again_until_the_deadline_and_more_of_them_once() -> None:
    policy = ApprovalPolicy(escalate_s=900, remind_s=600, deadline_s=3600)
    asked = ballot(policy=policy, quorum=Quorum(votes=1, escalate_s=900, remind_s=600))
    seen = []
    while call := next_call(asked):
        seen.append(((call.at - OPENED).total_seconds() / 60, str(call.kind)))
        asked = called(asked, call)
    reminders = [(n, "reminder") for n in (10, 20, 30, 40, 50)]
    assert seen == sorted([*reminders, (15, "escalation")])
    assert (asked.reminded, asked.escalated) == (5, True)
    assert next_call(ballot(policy=policy)) is None, "plans of older builds ask once"


def test_nobody_is_told_more_often_than_a_dozen_times() -> None:
    asked = ballot(quorum=Quorum(votes=1, remind_s=1))
    while call := next_call(asked):
        asked = called(asked, call)
    assert asked.reminded == 12


@pytest.mark.parametrize(
    ("voters", "decided"),
    [
        ("owner commander", "approve"),
        ("commander owner", "approve"),
        ("lead", "0 of 2: those to come must be of owners and of commanders"),
        ("owner owner-2", "1 of 2: the last one must be of commanders"),
        ("commander lead", "1 of 2: the last one must be of owners"),
        ("both lead", "approve"),
        ("owner owner-2 commander", "approve"),
    ],
)
def test_of_each_kind_that_is_asked_for_one_agrees(voters: str, decided: str) -> None:
    """An owner is `owner` by subject, and so on; `both` is one person of either kind."""
    kinds = Quorum(
        votes=2,
        of_owners=("owners", "owner", "owner-2", "both"),
        of_commanders=("commanders", "commander", "both"),
    )
    now_is, because = ballot(quorum=kinds), ""
    for by in voters.split():
        now_is, because = agreed(now_is, by)
    if decided == "approve":
        assert now_is.decided is Decision.APPROVE
        return
    assert now_is.decided is None
    assert because.replace(", owner, owner-2, both", "").replace(", commander, both", "") == decided
