"""The report says what the history says, and `unknown` for the rest."""

import itertools

import pytest

from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    Answered,
    PauseCommand,
    Planned,
    Vote,
)
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.gates import GateAnswer, Group
from rollback_manager.plan import Action, ActionKind, Estimate, short
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.progress import EndState, ServiceReport, StepRecord, StepState
from rollback_manager.report import Entry, Kind, Lessons, build, lessons
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


def test_a_plan_that_a_second_try_made_is_the_plan() -> None:
    history = b.History()
    history.add(b.PARENT, 0, Kind.STARTED, "RollbackWorkflow", b.request())
    history.add(b.PARENT, 0.3, Kind.LOCAL_ACTIVITY, "plan_rollback", because="no connection")
    history.add(b.PARENT, 0.4, Kind.ACTIVITY_SCHEDULED, "plan_rollback", of=3)
    history.add(b.PARENT, 2, Kind.ACTIVITY_DONE, "plan_rollback", Planned(plan=b.plan()), of=3)
    report = build(tuple(history.entries))
    assert report.plan == b.plan()
    assert [moment.text for moment in report.before[-2:]] == [
        "plan_rollback failed: no connection",
        f"the plan was made: {short(b.plan().digest)}",
    ]


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


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"kind": Kind.SIGNAL, "name": "go", "identity": b.PARENT}, "the service may go"),
        ({"kind": Kind.SIGNAL, "name": "abort", "identity": b.PARENT}, ""),
        ({"kind": Kind.SIGNAL, "name": "wave"}, "message wave"),
        ({"kind": Kind.SIGNAL, "name": "service_reports", "payload": "1"}, ""),
        ({"kind": Kind.UPDATE_ANSWERED, "name": "approve", "because": "no plan"},
         "approve answered: refused: no plan"),
        ({"kind": Kind.CANCEL_REQUESTED, "identity": b.PARENT}, ""),
        ({"kind": Kind.CANCEL_REQUESTED, "because": "by ui"}, "cancellation was asked for: by ui"),
        ({"kind": Kind.LOCAL_ACTIVITY, "name": "claim", "because": "taken"}, "claim failed: taken"),
        ({"kind": Kind.ACTIVITY_FAILED, "name": "drain", "because": "503"}, "drain failed: 503"),
        ({"kind": Kind.ACTIVITY_DONE, "name": "drain"}, "drain"),
        ({"kind": Kind.TIMER_FIRED, "name": "approval"}, "time is up: approval"),
        ({"kind": Kind.TIMER_FIRED}, ""),
        ({"kind": Kind.CHILD_DONE, "name": b.CHILD}, f"{b.CHILD} ended: unknown"),
        ({"kind": Kind.CHILD_FAILED, "name": b.CHILD, "because": "it timed out"},
         f"{b.CHILD} ended without a result: it timed out"),
        ({"kind": Kind.COMPLETED}, "ended: unknown"),
        ({"kind": Kind.TIMED_OUT, "workflow": b.CHILD}, f"{b.CHILD} timed_out"),
        ({"kind": Kind.COMPLETED, "workflow": b.CHILD}, ""),
    ],
)  # fmt: skip
def test_what_happened_is_told_in_words(entry: dict[str, object], text: str) -> None:
    history = b.History()
    b.asked(history)
    said = {"workflow": b.PARENT, **entry}
    history.add(str(said.pop("workflow")), 30, Kind(str(said.pop("kind"))), **said)  # type: ignore[arg-type] # by name
    told = [m.text for m in build(tuple(history.entries)).before if m.at == b.at(30)]
    assert told == [text] * bool(text)


def test_a_service_that_waits_says_for_what() -> None:
    history = b.History()
    b.asked(history)
    for waits in ("drain failed", ""):
        says = ServiceReport(service="shop", waits_for=waits)
        history.add(b.PARENT, 30, Kind.SIGNAL, "service_reports", says, identity=b.CHILD)
    told = [moment.text for moment in build(tuple(history.entries)).before[-2:]]
    assert told == ["shop waits: drain failed", "shop waits: no longer"]


def test_evidence_of_other_services_is_not_in_the_picture() -> None:
    foreign = b.evidence()[0].model_copy(update={"requests": {"other-v7": 5}, "errors": {}})
    report = build(b.verified(b.request(evidence=(foreign, *b.evidence()))))
    assert "other-v7" not in {v for point in report.services[0].points for v in point.requests}


def test_a_rollback_as_planned_has_no_lesson_but_what_could_not_be_said() -> None:
    found = _lessons_of(b.verified())
    assert (found.guard_refusals, found.halts, found.slower, found.follow_ups) == (0, 0, (), ())


def test_near_misses_are_what_the_guard_refused_what_halted_and_what_was_done_again() -> None:
    history = b.History()
    b.asked(history)
    b.approved(history)
    refusal = "the guard forbids it: it would fall below the floor"
    for number, because in ((2, refusal), (4, "the proxy does not answer")):
        more = {"of": number, "because": because}
        history.add(b.CHILD, 20 + number, Kind.ACTIVITY_SCHEDULED, "drain", of=number)
        history.add(b.CHILD, 21 + number, Kind.ACTIVITY_FAILED, "drain", **more)  # type: ignore[arg-type] # by name
    history.activity(b.steps()[2].model_copy(update={"lowest_ready": 3}), 2)
    found = _lessons_of(tuple(history.entries))
    assert (found.guard_refusals, found.halts) == (1, 2)
    assert [miss.what for miss in found.near_misses] == [
        f"halted: {refusal}",
        "halted: the proxy does not answer",
        "attempt 2; the one before ended: unknown",
    ]


def test_no_instance_to_spare_is_a_near_miss() -> None:
    assert _lessons_of(b.verified()).near_misses[-1].what.startswith("no instance to spare: lowest")


def test_what_took_longer_than_planned_is_named_with_both_times() -> None:
    estimate = Estimate(traffic_back_s=5, verified_s=120, source="p75 of 3 runs")
    planned = Planned(plan=b.plan(estimate=estimate)).model_dump_json()
    drain = b.step(ActionKind.DRAIN, 26, 26 + 361)
    first, second, *rest = _carried_out([*b.steps()[:2], drain])
    found = _lessons_of((first, second.model_copy(update={"payload": planned}), *rest))
    assert [(s.what, s.planned_s, s.source) for s in found.slower] == [
        ("decision → traffic back", 5, "p75 of 3 runs"),
        ("shop: drain", 360, "its time-out"),
    ]


def test_gates_that_did_not_pass_are_followed_up() -> None:
    gates = (
        b.gate(Group.BEFORE, "rollback_procedure_tested", "none is recorded", "inconclusive"),
        b.gate(Group.BEFORE, "backup_verification", "touches no data", "not_applicable"),
        b.gate(Group.AFTER, "business_metrics", "none is configured", "not_applicable"),
        b.gate(Group.AFTER, "functional_tests", "checkout answered 500", "failed"),
        b.gate(Group.AFTER, "of_a_later_build", "unclear", "inconclusive"),
    )
    found = _lessons_of(b.verified(ended=b.outcome(gates=gates)))
    assert [(f.missing, f.to_do) for f in found.follow_ups] == [
        ("no rehearsal within 30 days: none is recorded", "Rehearse it."),
        ("none is configured", "Look at the business's own figures by hand."),
        ("checkout answered 500", "Find out why."),
        ("unclear", "Answer it by hand."),
    ]
    assert GateAnswer.INCONCLUSIVE in found.follow_ups[0].seen_in


def test_what_the_numbers_lack_is_followed_up() -> None:
    steps = [record.model_copy(update={"own_errors": None}) for record in b.steps()]
    assert "not counted during prepare, redirect_traffic" in _missing(_carried_out(steps))
    assert "is unknown" in _missing(b.verified(b.request(evidence=())))
    assert "lower bound" in _missing(b.verified(b.request(evidence=b.evidence()[30:])))


def _missing(entries: tuple[Entry, ...]) -> str:
    return " ".join(follow_up.missing for follow_up in _lessons_of(entries).follow_ups)


def _lessons_of(entries: tuple[Entry, ...]) -> Lessons:
    return lessons(build(entries))


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
