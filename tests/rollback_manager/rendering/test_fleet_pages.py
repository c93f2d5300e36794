"""Thirty services on a page: every one is there, and a person still reads it."""

import pytest

from rollback_manager.contract import Planned
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import (
    EndState,
    Result,
    RollbackOutcome,
    RollbackStatus,
    ServiceStatus,
    State,
    StepState,
    StepStatus,
)
from rollback_manager.rendering import markdown, terminal, terminal_plan, terminal_status, web_ui
from rollback_manager.rendering.layout import COLUMNS, width
from rollback_manager.report import Entry, Kind, build
from tests import builders as b

NAMES = tuple(f"service-{number:02}" for number in range(30))
WAVES = (NAMES[:3], NAMES[3:20], NAMES[20:])
A_SCREEN = 120
"""Lines of a plan for thirty services; in full each of them takes more than twenty."""


def plan() -> RollbackPlan:
    (seen,) = b.plan().found
    return b.plan(
        services=tuple(b.service_plan(name) for name in NAMES),
        waves=WAVES,
        found=tuple(seen.model_copy(update={"service": name}) for name in NAMES),
    )


def status(states: dict[str, State], **changes: object) -> RollbackStatus:
    steps = (StepStatus(name="verify", target="", state=StepState.FAILED),)
    services = tuple(
        ServiceStatus(
            rollback=b.PARENT,
            service=name,
            state=states.get(name, State.WAITING_FOR_ITS_WAVE),
            from_version="v2",
            to_version="v1",
            steps=steps if states.get(name) is State.NEEDS_HUMAN else (),
            waits_for="" if name in states else "wave 2",
        )
        for name in NAMES
    )
    made = RollbackStatus(
        rollback=b.PARENT, env="demo", state=State.RUNNING, digest="f" * 64, services=services
    )
    return made.model_copy(update=changes)


def outcome() -> RollbackOutcome:
    """The first is back, the second is mixed, all others were not reached."""
    ends = {NAMES[0]: (EndState.ROLLED_BACK, True), NAMES[1]: (EndState.MIXED, False)}
    services = tuple(
        b.service_outcome(service=name, end=end, verified=verified, steps=())
        for name in NAMES
        for end, verified in [ends.get(name, (EndState.UNTOUCHED, False))]
    )
    return b.outcome(services=services, result=Result.ABORTED)


def test_a_plan_for_thirty_services_names_each_with_its_wave_and_fits_a_screen() -> None:
    text = terminal_plan.plan(plan())
    lines = text.splitlines()
    assert len(lines) < A_SCREEN
    assert all(width(line) <= COLUMNS for line in lines)
    places = [text.index(f"WAVE {number}") for number in (1, 2, 3)]
    for number, wave in enumerate(WAVES):
        until = (*places, len(text))[number + 1]
        assert all(f"  {name}  v2 → v1" in text[places[number] : until] for name in wave)


def test_the_command_that_agrees_to_it_names_every_service_once() -> None:
    text = terminal_plan.plan(plan())
    begun = text.index("rollback-manager start")
    called = text[begun : text.index("--expect-plan", begun)]
    words = [word for word in called.replace("\\", " ").split() if word.startswith("service-")]
    assert words == list(NAMES)
    assert all(
        line.endswith("\\") for line in text[begun:].split("--expect-plan")[0].splitlines()[:-1]
    )


def test_a_status_tells_in_full_who_is_under_way_and_names_all_others() -> None:
    now_is = status({NAMES[0]: State.FINISHED, NAMES[1]: State.RUNNING})
    text = terminal_status.status(now_is, b.at(9))
    assert f"{NAMES[1]}   v2 → v1   RUNNING" in text
    assert f"FINISHED: {NAMES[0]}" in text
    assert "WAITING FOR ITS WAVE (wave 2): service-02" in text
    assert all(name in text for name in NAMES)
    assert len(text.splitlines()) < 40


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("wave-2: service-05 ended mixed: x; service-20 untouched", "wave-2"),
        ("service-05 was not tried again; wave-1: service-05 ended mixed", "wave-1"),
        ("part-3: stale_plan: the plan is another one now", "part-3"),
    ],
)
def test_a_wave_or_part_that_waits_names_the_command_that_tries_it_again(
    words: str, step: str
) -> None:
    now_is = status({}, state=State.NEEDS_HUMAN, waits_for=f"{words}. Send retry_step")
    told = terminal_status.status(now_is, b.at(9))
    assert f"rollback-manager retry-step {b.PARENT} {step}" in told


def test_a_step_that_waits_is_named_with_its_service() -> None:
    now_is = status({NAMES[4]: State.NEEDS_HUMAN}, state=State.NEEDS_HUMAN, waits_for="verify")
    text = " ".join(terminal_status.status(now_is, b.at(9)).replace("\\", " ").split())
    assert f"retry-step {b.PARENT} verify --service {NAMES[4]}" in text


def test_a_step_that_was_put_back_and_is_stuck_as_well_is_not_the_one_that_waits() -> None:
    stuck = [
        StepStatus(name=name, target="", state=StepState.FAILED) for name in ("drain", "capacity")
    ]
    now_is = status({NAMES[4]: State.NEEDS_HUMAN}, state=State.NEEDS_HUMAN)
    told = [
        one.model_copy(update={"steps": tuple(stuck), "waits_for": "drain failed: 3 are left"})
        if one.service == NAMES[4]
        else one
        for one in now_is.services
    ]
    now_is = now_is.model_copy(update={"services": tuple(told)})
    text = " ".join(terminal_status.status(now_is, b.at(9)).replace("\\", " ").split())
    assert f"retry-step {b.PARENT} drain --service {NAMES[4]}" in text


def test_the_outcome_names_every_service_and_tells_a_mixed_one_in_full() -> None:
    text = terminal.outcome(outcome())
    assert f"ROLLED BACK, verified: {NAMES[0]}." in text
    assert f"{NAMES[1]}: MIXED, not verified" in text
    assert all(name in text for name in NAMES)
    assert len(text.splitlines()) < 60


def test_the_web_ui_shows_a_row_for_each_service_and_those_that_wait_for_somebody_first() -> None:
    states = {NAMES[7]: State.NEEDS_HUMAN, NAMES[0]: State.FINISHED}
    text = web_ui.rollback_details(status(states), plan())
    rows = [line for line in text.splitlines() if line.startswith("| ") and "service-" in line]
    assert len(rows) == 30
    assert rows[0].startswith(f"| 2 | {NAMES[7]} |")
    assert "NEEDS A PERSON" in rows[0]
    assert text.splitlines()[0].endswith("30 services in 3 waves")


def test_the_web_ui_stays_small_and_says_how_many_rows_are_missing() -> None:
    names = tuple(f"s{number:03}" + "x" * 50 for number in range(200))
    many = plan().model_copy(
        update={"services": tuple(map(b.service_plan, names)), "waves": (names,)}
    )
    base = status({})
    one = base.services[0]
    now_is = base.model_copy(
        update={"services": tuple(one.model_copy(update={"service": name}) for name in names)}
    )
    text = web_ui.rollback_details(now_is, many)
    assert "… and 120 more" in text
    assert len(text) < 20_000


def test_a_report_has_the_waves_and_no_table_of_steps_that_were_never_begun() -> None:
    text = markdown.report(build(_history()))
    rows = [line for line in text.splitlines() if line.startswith(("| 1 |", "| 2 |", "| 3 |"))]
    assert len(rows) == 30
    assert rows[0] == "| 1 | service-00 | rolled back, verified: users are well |"
    assert rows[-1] == "| 3 | service-29 | untouched: users are well |"
    assert text.startswith("# ABORTED: 30 services in 3 waves in demo")
    assert "Steps of service-00" not in text
    assert f"Not begun: {', '.join(NAMES)}." in text
    assert len(markdown.ci_summary(build(_history())).splitlines()) < 60


def _history() -> tuple[Entry, ...]:
    history = b.History()
    request = b.request(services=NAMES)
    history.add(b.PARENT, 0, Kind.STARTED, "RollbackWorkflow", request)
    history.add(b.PARENT, 0.3, Kind.LOCAL_ACTIVITY, "plan_rollback", Planned(plan=plan()))
    history.add(b.PARENT, 92, Kind.COMPLETED, "", outcome())
    return tuple(history.entries)
