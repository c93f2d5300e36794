"""Measurements: they agree with Argo Rollouts' own cases, and keep what those do not show."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.vectors import Vector, vectors
from rollback_manager.statistics.argo.conditions import (
    ConditionError,
    Measured,
    evaluate,
    read_condition,
)
from rollback_manager.statistics.argo.measurements import (
    KEPT,
    Counts,
    Limits,
    Measurement,
    Metric,
    Unreadable,
    assess,
    count,
    record,
)
from rollback_manager.statistics.argo.phases import Phase, worst
from rollback_manager.statistics.argo.runs import assess_run
from rollback_manager.statistics.argo.schedule import Tasks, next_look, schedule

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUCCESSFUL, RUNNING, PENDING, INCONCLUSIVE, ERROR, FAILED = Phase
answers = st.sampled_from([SUCCESSFUL, FAILED, INCONCLUSIVE, ERROR])


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def measured(phase: Phase, seconds_ago: float = 60) -> Measurement:
    return Measurement(phase=phase, started_at=ago(seconds_ago), finished_at=ago(seconds_ago))


def metric(*phases: Phase, dry_run: bool = False, name: str = "m", **limits: Any) -> Metric:
    """A metric that was measured as often, each time with that phase."""
    built = Metric(name=name, limits=Limits.model_validate(limits), dry_run=dry_run)
    for phase in phases:
        built = record(built, measured(phase))
    return built


def after(phase: Phase, *phases: Phase) -> Metric:
    """The metric with its phase already given."""
    return metric(*phases, name=phase.lower()).model_copy(update={"phase": phase})


@pytest.mark.parametrize("vector", list(vectors(group="argo")), ids=lambda vector: vector.name)
def test_measurements_come_to_what_argo_rollouts_says(vector: Vector) -> None:
    assert vector.disagreement() == ""


def sequences() -> list[Vector]:
    return [
        vector
        for vector in vectors(group="argo")
        if vector.row["kind"] == "assess" and vector.row["metrics"][0]["sequence"]
    ]


@pytest.mark.parametrize("vector", sequences(), ids=lambda vector: vector.name)
def test_counting_the_sequence_gives_the_rows_counts(vector: Vector) -> None:
    row = vector.row["metrics"][0]
    counts = Counts()
    for phase in row["sequence"]:
        counts = count(counts, Phase(phase))
    stated = {name: n for name, n in row["result"]["counts"].items() if name != "taken"}
    assert {name: getattr(counts, name) for name in stated} == stated


@given(st.lists(answers))
def test_every_answer_is_counted_once(phases: list[Phase]) -> None:
    counts = metric(*phases).counts
    assert counts.taken + counts.errors == len(phases)
    assert counts.taken == counts.successful + counts.failed + counts.inconclusive


def test_an_unfinished_measurement_is_gone_on_with_and_not_counted() -> None:
    waiting = record(metric(SUCCESSFUL), Measurement(phase=RUNNING, started_at=ago(5)))
    assert waiting.counts.taken == 1
    assert assess(waiting, terminating=False) is RUNNING
    done = record(waiting, measured(FAILED))
    assert [each.phase for each in done.measurements] == [SUCCESSFUL, FAILED]
    assert done.counts.taken == 2


def test_only_the_newest_measurements_are_kept_and_all_are_counted() -> None:
    kept = metric(*[SUCCESSFUL] * 25)
    assert (len(kept.measurements), kept.counts.taken) == (KEPT, 25)


def test_a_verdict_once_given_stays() -> None:
    assert assess(after(SUCCESSFUL, FAILED, FAILED), terminating=False) is SUCCESSFUL


@pytest.mark.parametrize(("terminating", "phase"), [(False, PENDING), (True, SUCCESSFUL)])
def test_what_was_never_measured_is_pending_until_the_run_ends(
    terminating: bool, phase: Phase
) -> None:
    assert assess(metric(), terminating) is phase


@given(st.lists(answers.filter(lambda phase: phase is not ERROR)))
def test_errors_between_answers_are_forgiven(phases: list[Phase]) -> None:
    mixed = [step for phase in phases for step in (ERROR, ERROR, phase)]
    limits: dict[str, Any] = {
        "failures": -1,
        "inconclusive": 1000,
        "interval": 60.0,
        "errors_in_a_row": 2,
    }
    assert assess(metric(*mixed, ERROR, **limits), terminating=False) is RUNNING
    assert assess(metric(*mixed, ERROR, ERROR, ERROR, **limits), terminating=False) is ERROR


@given(st.lists(answers, min_size=1))
def test_of_several_limits_passed_the_error_names_it(phases: list[Phase]) -> None:
    asked = metric(*phases, interval=60.0, errors_in_a_row=0)
    expected = RUNNING
    for phase, passed in (
        (FAILED, FAILED in phases),
        (INCONCLUSIVE, INCONCLUSIVE in phases),
        (ERROR, phases[-1] is ERROR),
    ):
        expected = phase if passed else expected
    assert assess(asked, terminating=False) is expected


@pytest.mark.parametrize(
    ("phases", "limits", "phase"),
    [
        ((FAILED, SUCCESSFUL, SUCCESSFUL), {"failures": -1}, SUCCESSFUL),
        ((FAILED, SUCCESSFUL, FAILED, SUCCESSFUL), {"failures": -1}, RUNNING),
        ((SUCCESSFUL, SUCCESSFUL, FAILED), {"failures": 0}, FAILED),
        ((SUCCESSFUL, ERROR, SUCCESSFUL), {"failures": 0}, RUNNING),
        ((FAILED, SUCCESSFUL, FAILED), {"failures": -1, "count": 3}, INCONCLUSIVE),
        ((FAILED, SUCCESSFUL, SUCCESSFUL), {"failures": 1, "count": 3}, SUCCESSFUL),
    ],
)
def test_successes_in_a_row_end_a_metric_well(
    phases: tuple[Phase, ...], limits: dict[str, Any], phase: Phase
) -> None:
    asked = metric(*phases, successes_in_a_row=2, interval=60.0, **limits)
    assert assess(asked, terminating=False) is phase


def test_a_run_stopped_before_its_row_of_successes_shows_nothing() -> None:
    asked = metric(SUCCESSFUL, successes_in_a_row=2, interval=60.0)
    assert assess(asked, terminating=True) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("count", "interval", "wanted"),
    [
        (None, None, 1),
        (0, None, 1),
        (None, 60.0, None),
        (0, 60.0, None),
        (3, None, 3),
        (3, 60.0, 3),
    ],
)
def test_without_count_and_interval_one_answer_is_enough(
    count: int | None, interval: float | None, wanted: int | None
) -> None:
    assert Limits(count=count, interval=interval).wanted == wanted


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ((), None),
        ((SUCCESSFUL,), SUCCESSFUL),
        ((SUCCESSFUL, RUNNING), RUNNING),
        ((INCONCLUSIVE, SUCCESSFUL), INCONCLUSIVE),
        ((INCONCLUSIVE, ERROR), ERROR),
        ((FAILED, ERROR), FAILED),
    ],
)
def test_the_worst_phase_decides(phases: tuple[Phase, ...], expected: Phase | None) -> None:
    assert worst(phases) is expected


@pytest.mark.parametrize(
    ("metrics", "stop", "phase"),
    [
        ([], False, RUNNING),
        ([], True, SUCCESSFUL),
        ([metric()], True, SUCCESSFUL),
        ([metric(SUCCESSFUL)], False, SUCCESSFUL),
        ([metric(SUCCESSFUL), metric(name="n")], False, RUNNING),
        ([metric(SUCCESSFUL), metric(FAILED, name="n")], False, FAILED),
        ([metric(INCONCLUSIVE), metric(*[ERROR] * 5, name="n")], False, ERROR),
        ([metric(SUCCESSFUL, interval=60.0), after(FAILED, FAILED)], False, FAILED),
        ([metric(SUCCESSFUL, interval=60.0), metric(FAILED, name="n")], False, RUNNING),
        ([metric(FAILED, dry_run=True)], False, SUCCESSFUL),
        ([metric(FAILED, dry_run=True), metric(INCONCLUSIVE, name="n")], False, INCONCLUSIVE),
        (
            [metric(FAILED, dry_run=True), metric(SUCCESSFUL, name="n", interval=9.0)],
            False,
            RUNNING,
        ),
    ],
)
def test_a_run_is_as_its_worst_metric_that_counts(
    metrics: list[Metric], stop: bool, phase: Phase
) -> None:
    assert assess_run(metrics, told_to_stop=stop).phase is phase


def test_dry_runs_are_counted_apart() -> None:
    run = assess_run([metric(FAILED, dry_run=True), metric(SUCCESSFUL, name="n"), metric(name="o")])
    assert run.tally.model_dump() == {"metrics": 2, "by_phase": {SUCCESSFUL: 1}}
    assert run.dry_run_tally.model_dump() == {"metrics": 1, "by_phase": {FAILED: 1}}
    assert run.metrics == {"m": FAILED, "n": SUCCESSFUL, "o": PENDING}


def test_a_failed_dry_run_stops_nobody() -> None:
    other = metric(name="other")
    dry = after(FAILED, FAILED).model_copy(update={"dry_run": True})
    assert schedule([other, dry], NOW).take_new == ("other",)
    assert schedule([other, dry.model_copy(update={"dry_run": False})], NOW) == Tasks()


def test_a_run_that_ends_still_finishes_what_it_began() -> None:
    begun = record(metric(), Measurement(phase=RUNNING, started_at=ago(5)))
    assert schedule([begun, metric(name="n")], NOW, told_to_stop=True) == Tasks(resume=("m",))


@pytest.mark.parametrize(
    ("seconds_ago", "limits", "due"),
    [
        (60, {"interval": 60.0}, False),  # not before the interval is over, and over it must be
        (60.001, {"interval": 60.0}, True),
        (600, {"interval": 60.0, "count": 1}, False),
        (600, {"interval": Unreadable(text="1 fortnight")}, False),
        (11, {"count": 2}, True),
        (9, {"count": 2}, False),
    ],
)
def test_a_metric_is_due_after_its_interval(
    seconds_ago: float, limits: dict[str, Any], due: bool
) -> None:
    asked = record(
        Metric(name="m", limits=Limits.model_validate(limits)), measured(SUCCESSFUL, seconds_ago)
    )
    assert bool(schedule([asked], NOW).take_new) is due


def test_the_next_look_is_at_the_earliest_moment_with_something_to_do() -> None:
    answered = metric(SUCCESSFUL, interval=300.0)
    failed_to_ask = metric(ERROR, interval=300.0)
    delayed = metric(initial_delay=120.0)
    waiting = record(metric(), Measurement(phase=RUNNING, resume_at=NOW + timedelta(seconds=7)))
    assert next_look([answered], NOW) == ago(60) + timedelta(seconds=300)
    assert next_look([answered, failed_to_ask], NOW) == ago(60) + timedelta(seconds=10)
    assert next_look([delayed], NOW) == NOW + timedelta(seconds=120)
    assert next_look([delayed], NOW, started_at=ago(100)) == NOW + timedelta(seconds=20)
    assert next_look([answered, waiting], NOW) == NOW + timedelta(seconds=7)


@pytest.mark.parametrize(
    "still",
    [
        after(FAILED, FAILED),
        metric(),
        metric(SUCCESSFUL),
        metric(SUCCESSFUL, count=2),
        record(metric(), Measurement(phase=RUNNING)),
        metric(initial_delay=Unreadable(text="soon")),
    ],
)
def test_there_is_no_next_look_where_nothing_will_come(still: Metric) -> None:
    assert next_look([still], NOW) is None


@pytest.mark.parametrize(
    ("value", "success", "failure", "phase"),
    [
        (0.99, "result >= 0.95", None, SUCCESSFUL),
        (0.94, "result >= 0.95", None, FAILED),
        (0.94, "result >= 0.95", "result < 0.9", INCONCLUSIVE),
        (0.89, "result >= 0.95", "result < 0.9", FAILED),
        (math.nan, "result >= 0.95", None, FAILED),
        (math.nan, "result >= 0.95", "result < 0.95", INCONCLUSIVE),
        (math.nan, "isNaN(result) || result < 1", None, SUCCESSFUL),
        (math.inf, "!isInf(result) && result > 0", None, FAILED),
        (-math.inf, None, "isInf(result)", FAILED),
        (None, "result >= 0.95", None, ERROR),
        (None, "isNaN(result)", None, ERROR),
        (None, "isNil(result)", None, SUCCESSFUL),
        (None, "default(result, 0) < 1", None, SUCCESSFUL),
        (2, "default(result, 0) < 1", None, FAILED),
        (None, "result == 0", None, FAILED),
        (None, "result != 0", None, SUCCESSFUL),
        (True, "result", None, SUCCESSFUL),
        (1.0, "result", None, ERROR),
        (True, "result > 0", None, ERROR),
        ("12", "asFloat(result) > 10", None, SUCCESSFUL),
        ("12", "result > 10", None, ERROR),
        ("twelve", "asFloat(result) > 10", None, ERROR),
        (1.0, "true", "result[0] > 1", ERROR),
        (1.0, "true", "1 +", ERROR),
        (1e3, "result == 1e3", "", SUCCESSFUL),
    ],
)
def test_a_value_is_worth_what_its_conditions_say(
    value: Measured, success: str | None, failure: str | None, phase: Phase
) -> None:
    assert evaluate(value, success, failure) is phase


@given(st.floats(allow_nan=False), st.floats(allow_nan=False, allow_infinity=False))
def test_a_condition_and_its_opposite_never_both_hold(value: float, limit: float) -> None:
    for sign, opposite in ((">", "<="), ("<", ">="), ("==", "!=")):
        holds, fails = (read_condition(f"result {each} {limit!r}") for each in (sign, opposite))
        assert holds(value) is not fails(value)


def test_a_condition_that_cannot_be_read_says_so() -> None:
    with pytest.raises(ConditionError, match="cannot read the condition 'len"):
        read_condition("len(result) > 0")
