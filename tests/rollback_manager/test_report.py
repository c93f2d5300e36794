"""The report says what the history says, and `unknown` for the rest."""

import itertools

import pytest

from rollback_manager.contract import AbortCommand, AbortMode, Answered, PauseCommand, Planned, Vote
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.gates import Group
from rollback_manager.plan import Action, ActionKind
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.progress import EndState, StepRecord, StepState
from rollback_manager.report import Entry, Kind, build
from rollback_manager.values import Value
from tests import builders as b


def test_the_same_history_gives_the_same_report() -> None:
    assert build(b.verified()).model_dump_json() == build(b.verified()).model_dump_json()


def test_the_order_in_which_entries_were_fetched_does_not_matter() -> None:
    entries = b.verified()
    child_last = sorted(entries, key=lambda entry: entry.workflow)
    assert build(tuple(child_last)) == build(entries)


def test_seconds_count_from_the_vote_that_counted() -> None:
    report = build(b.verified())
    assert report.decided_at == b.at(20)
    assert report.traffic_back_s == pytest.approx(5.2)
    assert report.verified_s == pytest.approx(67.0)


def test_without_approval_seconds_count_from_the_plan() -> None:
    history = b.History()
    no_approval = b.plan(approval=ApprovalPolicy(required=False))
    history.add(b.PARENT, 0, Kind.STARTED, "RollbackWorkflow", b.request())
    history.add(b.PARENT, 0.3, Kind.LOCAL_ACTIVITY, "plan_rollback", Planned(plan=no_approval))
    report = build(tuple(history.entries))
    assert (report.decided_at, report.after[0].text[:8]) == (b.at(0.3), "the plan")


def test_own_failures_are_summed_and_unread_steps_are_named() -> None:
    steps = list(b.steps())
    steps[1] = steps[1].model_copy(update={"own_errors": 3})
    steps[2] = steps[2].model_copy(update={"own_errors": None})
    report = build(_carried_out(steps))
    assert (report.own_errors, report.unread) == (3, ("drain",))


def test_own_failures_that_nobody_counted_are_not_zero() -> None:
    steps = [record.model_copy(update={"own_errors": None}) for record in b.steps()]
    assert build(_carried_out(steps)).own_errors is None


def test_impact_begins_with_the_first_second_worse_than_normal() -> None:
    impact = build(b.verified()).impact
    assert impact is not None
    assert (impact.since, impact.until, impact.at_least) == (b.at(-40), b.at(25.2), False)


def test_impact_is_a_lower_bound_when_evidence_begins_inside_it() -> None:
    late = b.request(evidence=b.evidence()[30:])
    impact = build(b.verified(late)).impact
    assert impact is not None
    assert impact.at_least


def test_without_evidence_the_impact_and_the_release_are_unknown() -> None:
    report = build(b.verified(b.request(evidence=())))
    assert (report.impact, report.release_at) == (None, None)


def test_the_release_is_the_first_second_with_its_traffic() -> None:
    assert build(b.verified()).release_at == b.at(-40)


def test_a_death_of_a_worker_is_shown_as_a_second_attempt() -> None:
    report = build(b.verified())
    step = next(s for s in report.services[0].steps if s.name == "redirect_traffic")
    assert (step.attempts, step.earlier) == (2, "activity Heartbeat timeout")
    assert any("attempt 2 began" in moment.text for moment in report.after)


def test_the_decision_parts_the_two_timelines() -> None:
    report = build(b.verified())
    assert max(m.at for m in report.before) < b.at(20) <= min(m.at for m in report.after)
    assert any("failed more than is normal" in m.text for m in report.before)
    assert any(m.at == b.at(22.25) and m.text.startswith("written") for m in report.after)


def test_names_of_people_stand_in_no_timeline() -> None:
    report = build(b.verified())
    told = " ".join(moment.text for moment in report.before + report.after)
    assert not {"operator-a", "operator-b"} & set(told.split())
    assert report.decisions[0].by == "operator-b"


def test_a_running_rollback_says_what_is_known_until_now() -> None:
    history = b.History()
    b.asked(history)
    b.approved(history)
    history.activity(b.steps()[0])
    number = history.add(b.CHILD, 21.5, Kind.ACTIVITY_SCHEDULED, "redirect_traffic", of=5)
    assert number == 5
    report = build(tuple(history.entries))
    states = [step.state for step in report.services[0].steps]
    assert report.ended is None
    assert states == [StepState.DONE, StepState.RUNNING, *[StepState.PLANNED] * 3]
    assert (report.traffic_back_s, report.verified_s) == (None, None)


def test_capacity_that_was_there_already_is_a_step() -> None:
    history = b.History()
    b.asked(history)
    b.approved(history)
    history.add(b.CHILD, 20.2, Kind.LOCAL_ACTIVITY, "observe", _Seen(capacity="2 of 2 ready"))
    report = build(tuple(history.entries))
    first = report.services[0].steps[0]
    assert (report.own_errors, report.unread) == (None, ())
    assert (first.name, first.state, first.record and first.record.observed) == (
        "prepare",
        StepState.DONE,
        "2 of 2 ready",
    )


def test_an_undone_shift_does_not_count_as_traffic_back() -> None:
    history = b.History()
    b.asked(history)
    b.approved(history)
    shift = next(a for a in b.service_plan().actions if a.kind is ActionKind.REDIRECT_TRAFFIC)
    assert shift.undo is not None
    undo = Action(wanted=shift.undo, timeout_s=60, check="as before", no_undo_because="an undo")
    for number, action in ((2, shift), (5, undo)):
        history.add(
            b.CHILD, 20 + number, Kind.ACTIVITY_SCHEDULED, "redirect_traffic",
            _Asked(action=action), of=number,
        )  # fmt: skip
        history.add(b.CHILD, 20 + number, Kind.ACTIVITY_STARTED, "redirect_traffic", of=number)
        record = b.step(ActionKind.REDIRECT_TRAFFIC, 20 + number, 21 + number)
        history.add(b.CHILD, 21 + number, Kind.ACTIVITY_DONE, "redirect_traffic", record, of=number)
    ended = b.service_outcome(end=EndState.RESTORED, verified=False, steps=())
    history.add(b.PARENT, 40, Kind.CHILD_DONE, b.CHILD, ended)
    report = build(tuple(history.entries))
    assert [step.undo for step in report.services[0].steps[:2]] == [False, True]
    assert report.traffic_back_s is None


def test_a_child_whose_history_is_gone_is_told_from_its_parents() -> None:
    parent_only = tuple(e for e in b.verified() if e.workflow == b.PARENT)
    report = build(parent_only)
    assert [step.state for step in report.services[0].steps] == [StepState.DONE] * 5
    assert report.traffic_back_s == pytest.approx(5.2)


def test_an_ignored_vote_is_shown_with_its_reason() -> None:
    history = b.History()
    b.asked(history)
    number = history.add(
        b.PARENT, 5, Kind.UPDATE_ACCEPTED, "approve", Vote(plan="feed" * 16, by="operator-c")
    )
    answer = Answered(applied=False, because="the vote quotes another plan")
    history.add(b.PARENT, 5.1, Kind.UPDATE_ANSWERED, "approve", answer, of=number)
    report = build(tuple(history.entries))
    assert report.decisions[0].counted == "ignored: the vote quotes another plan"
    assert report.decided_at is None


def test_a_vote_that_came_as_a_signal_is_judged_by_the_outcome_alone() -> None:
    history = b.History()
    b.asked(history)
    history.add(b.PARENT, 5, Kind.SIGNAL, "approve", Vote(plan="feed" * 16, by="operator-c"))
    assert build(tuple(history.entries)).decisions[0].counted == ""


def test_commands_are_listed_once_though_the_parent_passes_them_on() -> None:
    history = b.History()
    b.asked(history)
    b.approved(history)
    abort = AbortCommand(mode=AbortMode.RESTORE, by="operator-a", reason="wrong service")
    history.add(b.PARENT, 30, Kind.SIGNAL, "abort", abort, identity="cli")
    history.add(b.CHILD, 30.1, Kind.SIGNAL, "abort", abort, identity=b.PARENT)
    history.add(b.CHILD, 31, Kind.SIGNAL, "pause", PauseCommand(by="operator-b"), identity="ui")
    commands = build(tuple(history.entries)).commands
    assert [c.command for c in commands] == ["abort (restore)", "pause"]


def test_a_message_that_cannot_be_read_is_still_shown() -> None:
    history = b.History()
    b.asked(history)
    history.add(b.PARENT, 30, Kind.SIGNAL, "abort", identity="ui", payload='"now!"')
    command = build(tuple(history.entries)).commands[0]
    assert (command.command, command.by, command.reason) == ("abort", "ui", "")


def test_a_terminated_rollback_says_who_ended_it_and_that_nothing_else_is_known() -> None:
    history = b.History()
    b.asked(history)
    history.add(b.PARENT, 9, Kind.TERMINATED, because="by mistake", identity="ui")
    report = build(tuple(history.entries))
    assert (report.ended, report.ended_because) == (Kind.TERMINATED, "by mistake")
    assert report.commands[0].by == "ui"


def test_gates_come_in_the_order_of_their_groups() -> None:
    groups = [gate.group for gate in build(b.verified()).gates]
    assert [group for group, _ in itertools.groupby(groups)] == list(Group)


def test_no_plan_is_reported_as_such() -> None:
    history = b.History()
    history.add(b.PARENT, 0, Kind.STARTED, "RollbackWorkflow", b.request())
    blocked = Planned(blocked_because="no verified release to go back to")
    history.add(b.PARENT, 1, Kind.LOCAL_ACTIVITY, "plan_rollback", blocked)
    report = build(tuple(history.entries))
    assert (report.services, report.plan, report.security) == ((), None, "")
    assert "no verified release" in report.before[-1].text


def test_no_history_and_a_foreign_one_are_refused() -> None:
    with pytest.raises(NotFound):
        build(())
    history = b.History()
    history.add("other", 0, Kind.STARTED, "Other", payload="{}")
    with pytest.raises(PermanentError, match="readable request"):
        build(tuple(history.entries))


class _Seen(Value):
    capacity: str


class _Asked(Value):
    action: Action


def _carried_out(records: list[StepRecord]) -> tuple[Entry, ...]:
    history = b.History()
    b.asked(history)
    b.approved(history)
    for record in records:
        history.activity(record)
    return tuple(history.entries)
