"""What a person reads at 3 a.m.: complete, at most 80 columns wide, and not to be forged."""

from datetime import timedelta

import pytest

from rollback_manager.contract import Decision
from rollback_manager.gates import Group
from rollback_manager.metrics.reading import NoReading
from rollback_manager.plan import Capacity, Risk, RollbackPlan, Split
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.progress import (
    DecisionRecord,
    Found,
    Result,
    RollbackStatus,
    ServiceStatus,
    State,
    StepState,
    StepStatus,
)
from rollback_manager.release import Release, Standing
from rollback_manager.rendering import terminal, terminal_plan, terminal_status, words
from rollback_manager.rendering.layout import clean, command, foreign, page, width
from tests import builders as b

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07evil\x1b[31m\r\nproduction: all is well\u202e\u200b [bold]x[/] \x9b1m"
)


def step(name: str, state: StepState = StepState.PLANNED, **more: object) -> StepStatus:
    return StepStatus(name=name, target="", state=state).model_copy(update=more)


def service(**changes: object) -> ServiceStatus:
    made = ServiceStatus(
        rollback=b.PARENT,
        service="shop",
        state=State.RUNNING,
        from_version="v2",
        to_version="v1",
        found=Found(shares={"v1": 66, "v2": 34}, ready={"v1": 2, "v2": 2}),
        steps=(
            step("prepare", StepState.DONE, started_at=b.at(0), finished_at=b.at(0.4)),
            step("redirect_traffic", StepState.RUNNING, summary="66 %", started_at=b.at(1)),
            step("drain"),
        ),
    )
    return made.model_copy(update=changes)


def status(**changes: object) -> RollbackStatus:
    made = RollbackStatus(
        rollback=b.PARENT,
        env="demo",
        state=State.RUNNING,
        digest=b.plan().digest,
        requested_by="local:operator",
        services=(service(),),
    )
    return made.model_copy(update=changes)


def vote(**changes: object) -> DecisionRecord:
    made = DecisionRecord(
        decision=Decision.APPROVE,
        by="local:operator",
        method="local",
        reason="",
        at=b.at(5),
        counted=True,
        because="counted",
    )
    return made.model_copy(update=changes)


def hostile_texts() -> list[str]:
    plan = b.plan(
        abort_when=(HOSTILE,),
        risks=(Risk(risk=HOSTILE, mitigation=HOSTILE * 20),),
        gates=(b.gate(Group.BEFORE, HOSTILE, HOSTILE),),
        env=HOSTILE,
    )
    now_is = status(
        rollback=HOSTILE,
        requested_by=HOSTILE,
        waits_for=HOSTILE * 9,
        decisions=(vote(by=HOSTILE, reason=HOSTILE, counted=False, because=HOSTILE),),
        services=(service(service=HOSTILE, steps=(step(HOSTILE, summary=HOSTILE),)),),
    )
    ended = b.outcome(because=HOSTILE, effect=HOSTILE, next_step=HOSTILE)
    return [
        terminal_plan.plan(plan),
        terminal_plan.by_hand(plan),
        terminal_status.status(now_is, b.at(9)),
        *terminal_status.changes(None, now_is, b.at(9)),
        terminal_status.heartbeat(now_is, b.at(9)),
        terminal.outcome(ended),
        terminal.releases(HOSTILE, [release(version=HOSTILE, because=HOSTILE)]),
    ]


def release(**changes: object) -> Release:
    made = Release(version="v1", digest="sha256:9ab1", recorded_at=b.at(0), recorded_by="ci")
    return made.model_copy(update=changes)


def visible(text: str) -> str:
    return "".join(char for char in text if char.isprintable() or char == "\n")


@pytest.mark.parametrize("text", hostile_texts())
def test_foreign_text_cannot_move_the_cursor_or_hide_anything(text: str) -> None:
    assert text == visible(text)
    assert not [line for line in text.splitlines() if line.startswith("production: all")]


@pytest.mark.parametrize("text", [*hostile_texts(), terminal_plan.plan(b.plan())])
def test_no_line_is_wider_than_80_columns(text: str) -> None:
    pasted = text.startswith("curl")  # a command to paste is never wrapped
    assert pasted or max(map(width, text.splitlines())) <= 80


def test_what_one_value_opens_does_not_swallow_the_next() -> None:
    assert clean("v1\x1b[" + " → v2") == "v1[ → v2"
    assert foreign("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link") == "red link"


def test_wide_characters_count_twice() -> None:
    assert width("復旧") == 4
    assert all(width(line) <= 80 for line in page(["復" * 100]).splitlines())


def test_a_command_is_never_wrapped_inside() -> None:
    parts = "rollback-manager approve rollback/production/" + "k" * 40, "--plan 0123456789abcdef"
    assert list(command("approve: ", *parts)) == [f"approve: {parts[0]} \\", f"  {parts[1]}"]
    told = page(["next:  " + "x" * 50 + " rollback-manager list --env production"])
    assert "rollback-manager list --env production" in told.splitlines()[1]


def test_the_plan_says_all_that_a_person_must_know_before_agreeing() -> None:
    made = b.plan(risks=(Risk(risk="it was idle", mitigation="it must be ready first"),))
    text = terminal_plan.plan(made)
    for word in (
        f"plan {made.digest[:4]}…{made.digest[-2:]} for shop in demo",
        "v2 → v1   blue_green · floor 2 of 2",
        "sha256:41d8 → sha256:9ab1",
        "TARGET       v1: newest verified release that is not bad",
        "v2 fails 11.0 % of 4800 requests in 60 s",
        "ready v1 2, v2 2 (floor 2)",
        "~ redirect_traffic  v1 gets 0 → 100 %",
        "- clean_up",
        "= verify",
        "within 5 min · check: 2 instances of v1 ready",
        "NOT UNDONE   data that the bad version wrote stays",
        "traffic back in 60 s, verified in 2 min",
        "source: the strategy",
        "pass     impact_assessment",
        "n/a      backup_verification",
        "MAY BE WRONG",
        "ABORT IF",
        "DONE WHEN",
        "it was idle: it must be ready first",
        "POINT OF NO RETURN  none",
        "a person must agree within 60 min; unanswered: hold",
        f"--expect-plan {made.digest[:16]}",
        "--as-commands",
    ):
        assert word in text


def test_what_was_not_measured_is_called_unknown() -> None:
    seen = b.plan().found[0]
    blind = seen.model_copy(update={"bad_reading": NoReading(version="v2", because="no answer")})
    text = terminal_plan.plan(b.plan(found=(blind,)))
    assert "WHY          unknown: no answer" in text
    assert "shop: nothing was measured" in text
    assert "WHY          unknown" in terminal_plan.plan(b.plan(found=()))


def test_a_gate_that_cannot_tell_is_a_reason_why_the_plan_may_be_wrong() -> None:
    doubt = b.gate(Group.BEFORE, "rollback_procedure_tested", "41 d ago", "inconclusive")
    text = terminal_plan.plan(b.plan(gates=(doubt,)))
    assert "unclear  rollback_procedure_tested: 41 d ago" in text
    assert "MAY BE WRONG   rollback_procedure_tested is inconclusive" in text


def test_the_commands_by_hand_are_those_of_the_plan() -> None:
    assert terminal_plan.by_hand(b.plan()) == b.plan().found[0].by_hand[0]
    assert "unknown" in terminal_plan.by_hand(b.plan(found=()))


def test_a_plan_without_approval_says_that_it_starts_at_once() -> None:
    made = b.plan(approval=ApprovalPolicy(required=False))
    assert "policy asks for none: it starts at once" in terminal_plan.plan(made)


def test_the_status_answers_what_is_live_what_is_next_and_how_to_stop() -> None:
    text = terminal_status.status(status(), b.at(37))
    assert f"{b.PARENT}   RUNNING   37 s" in text
    assert "on v1 █████████████░░░░░░░ 66 %" in text
    assert " done  prepare 0.4 s" in text
    assert " now   redirect_traffic running 36 s · 66 %" in text
    assert " next  drain" in text
    assert "waits for: nobody" in text
    assert f"stop:    rollback-manager abort {b.PARENT}" in text
    assert "go on without this terminal" in text


def test_a_share_that_nobody_told_is_unknown() -> None:
    text = terminal_status.status(status(services=(service(found=None),)), b.at(1))
    assert "on v1: unknown" in text
    assert "ready unknown" in text


@pytest.mark.parametrize(
    ("state", "word", "next_command"),
    [
        (State.WAITING_FOR_APPROVAL, "WAITING FOR APPROVAL", "approve"),
        (State.PAUSED, "PAUSED", "resume"),
        (State.NEEDS_HUMAN, "NEEDS A PERSON", "retry-step"),
    ],
)
def test_a_state_that_waits_names_the_command_that_ends_the_wait(
    state: State, word: str, next_command: str
) -> None:
    text = terminal_status.status(status(state=state), b.at(1))
    assert word in text
    assert f"rollback-manager {next_command} {b.PARENT}" in text


def test_a_service_that_is_paused_makes_the_rollback_paused() -> None:
    now_is = status(services=(service(state=State.PAUSED),))
    assert words.state(now_is) == "PAUSED"


def test_a_deadline_is_a_time_and_the_seconds_left() -> None:
    now_is = status(state=State.WAITING_FOR_APPROVAL, deadline=b.at(100))
    assert "deadline 14:01:40Z (in 1 s)" in terminal_status.status(now_is, b.at(99))
    assert "(passed)" in terminal_status.status(now_is, b.at(101))


def test_an_unsigned_vote_says_so() -> None:
    text = terminal_status.status(status(decisions=(vote(),)), b.at(9))
    assert "14:00:05Z approve by local:operator (local, not authenticated)" in text


def test_a_log_tells_each_change_once() -> None:
    before, now = status(), b.at(9)
    done = service(steps=(*service().steps[:1], step("redirect_traffic", StepState.DONE)))
    assert terminal_status.changes(before, before, now) == []
    assert terminal_status.changes(before, status(services=(done,)), now) == [
        "14:00:09Z shop redirect_traffic done"
    ]


def test_the_last_change_of_a_log_is_the_end() -> None:
    ended = status(state=State.FINISHED, outcome=b.outcome(), services=())
    lines = terminal_status.changes(status(), ended, b.at(92))
    assert lines[0] == "14:01:32Z VERIFIED"
    assert any("clean_up done" in line for line in lines)


def test_a_heartbeat_says_what_is_under_way() -> None:
    line = terminal_status.heartbeat(status(), b.at(31))
    assert line == "14:00:31Z still RUNNING · redirect_traffic 30 s · 66 %"
    assert "no answer yet" in terminal_status.heartbeat(None, b.at(31))


def test_a_finished_status_leaves_the_facts_to_the_outcome() -> None:
    text = terminal_status.status(status(state=State.FINISHED, outcome=b.outcome()), b.at(92))
    assert "VERIFIED" in text
    assert "redirect_traffic" not in text


def test_the_outcome_says_what_it_means_for_production() -> None:
    text = terminal.outcome(b.outcome(result=Result.NOT_VERIFIED, next_step="look at shop"))
    assert "NOT VERIFIED" in text
    assert "production:  Production is on the known-good release." in text
    assert "shop: ROLLED BACK, verified. users are well" in text
    assert "traffic v1 100 % · ready v1 2, v2 0" in text
    assert "next:        look at shop" in text


def test_releases_are_listed_with_what_is_known_of_them() -> None:
    good = release(standing=Standing.VERIFIED, because="a week of traffic")
    text = terminal.releases("shop", [good])
    assert "v1       verified   2026-03-01 14:00:00Z  sha256:9ab1" in text
    assert "a week of traffic" in text
    assert terminal.releases("shop", []) == "no release of shop is recorded"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.4, "0.4 s"),
        (61, "61 s"),
        (341, "5 min 41 s"),
        (900, "15 min"),
        (7500, "2 h 5 min"),
        (timedelta(days=12).total_seconds(), "12 d"),
    ],
)
def test_a_duration_has_units(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_every_kind_of_wanted_state_has_words() -> None:
    made: RollbackPlan = b.plan()
    said = [words.wanted(action.wanted) for action in made.services[0].actions]
    assert len(set(said)) == len(said)
    assert words.wanted(Capacity(version="v1", instances=4)) == "v1: 4 instances ready"
    assert words.wanted(Split(version="v1", shares={"v1": 100})) == "traffic to v1 100 %"
