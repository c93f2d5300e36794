"""What a series of live runs comes to; the runs themselves are `make bench-live`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.live.evidence import first_bad_at, since, users
from benchmarks.live.figures import BAD, EARLY, LATER, UNDISTURBED, figures
from benchmarks.live.once import wrong
from benchmarks.live.plan import Run, Stages, Users, runs
from benchmarks.live.series import kept, series, still_to_make
from demo.scenarios import SCENARIOS

RELEASED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
WELL = Users(total=1000, failed=20, slow=0, by_us=0, unsent=0)


def run(number: int = 0, scenario: str = "error_rate", **more: Any) -> Run:
    """A bad release that was taken back in time, unless told otherwise."""
    words: dict[str, Any] = {
        "seed": 1,
        "number": number,
        "scenario": scenario,
        "began_at": RELEASED,
        "seconds": 90,
        "load_average": 1,
        "rolled_back": True,
        "outcome": "verified",
        "first_bad_s": 20,
        "stages": Stages(incident=10, decision=11, change=12, away=12, verified=40),
        "users": WELL,
    }
    return Run.model_validate({**words, **more})


def healthy(**more: Any) -> Run:
    left = {"rolled_back": False, "outcome": "", "first_bad_s": None, "stages": Stages()}
    return run(scenario="healthy", **{**left, **more})


def load(folder: Path, *answers: tuple[float, dict[str, object]]) -> Path:
    """A file as the load writes it: seconds after the release, and what became of the request."""
    file = folder / "load.jsonl"
    lines = ({"at": RELEASED.timestamp() + at, **answer} for at, answer in answers)
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


def test_the_first_bad_answer_is_one_of_v2_that_the_fault_explains(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        (-1, {"ms": 5, "status": 500, "version": "v2"}),
        (1, {"ms": 5, "status": 500, "version": "v2"}),  # before the fault: of another cause
        (9.9, {"ms": 300, "status": 200, "version": "v2"}),  # slow when the fault had begun
        (10, {"ms": 5, "status": 500, "version": "v1"}),
        (11, {"ms": 5, "status": 500, "version": "v2"}),
    )
    broke_at = RELEASED + timedelta(seconds=10)
    answers = since(file, RELEASED)
    assert len(answers) == 4
    first = first_bad_at(answers, SCENARIOS["latency"], broke_at)
    assert first == RELEASED + timedelta(seconds=10.2)
    assert first_bad_at(answers, SCENARIOS["healthy"], broke_at) == RELEASED + timedelta(
        seconds=11.005
    ), "an error is one whatever the scenario; nothing is slow there"


def test_users_are_counted_by_what_they_got(tmp_path: Path) -> None:
    file = load(
        tmp_path,
        (1, {"ms": 5, "status": 500, "version": "v2"}),
        (1, {"ms": 300, "status": 200, "version": "v2"}),
        (1, {"ms": 5, "status": 200, "version": "v1"}),
        (1, {"ms": 5, "status": 503}),
        (1, {"ms": 5, "failed": "reset"}),
        (1, {"ms": 5, "failed": "unsent"}),
    )
    seen = users(since(file, RELEASED), SCENARIOS["latency"])
    assert seen == Users(total=5, failed=1, slow=1, by_us=2, unsent=1, late_of_good=0.6667)
    assert seen.disturbed, "of the three that v1 answered, or nobody, two were lost"
    assert not users(since(file, RELEASED), SCENARIOS["common_mode"]).disturbed, "v1 is slow there"
    well = users(since(file, RELEASED), SCENARIOS["latency"], RELEASED + timedelta(seconds=1))
    assert well.failed_when_well == 3


def test_each_way_to_go_wrong_is_said() -> None:
    assert wrong(run()) == ""
    assert wrong(healthy()) == ""
    assert "false rollback" in wrong(healthy(rolled_back=True))
    assert "only asked" in wrong(healthy(rollback="rollback/demo/shop-v2-1"))
    assert "missed" in wrong(run(rolled_back=False, stages=Stages()))
    assert "before the fault" in wrong(run(stages=Stages(incident=-3, change=-2)))
    assert "never showed" in wrong(run(first_bad_s=None, stages=Stages()))
    assert "ended mixed" in wrong(run(outcome="mixed"))
    assert "after that" in wrong(run(users=WELL.model_copy(update={"failed_when_well": 2})))
    spoilt = WELL.model_copy(update={"unsent": 3})
    assert "too busy" in wrong(run(users=spoilt))


def test_a_missed_and_a_failed_run_count_in_every_share() -> None:
    missed = run(1, rolled_back=False, stages=Stages(), wrong="missed")
    failed = run(2, rolled_back=False, stages=Stages(), users=None, failure="no ports")
    late = run(3, stages=Stages(incident=61, decision=62, change=63, away=63, verified=90))
    found = figures([run(), missed, failed, late])
    errors = found.scenarios["error_rate"]
    assert errors.within == {"incident": 0.25, "decision": 0.5, "change": 0.5, "verified": 0.5}
    assert errors.seconds["incident"] is not None
    assert (errors.seconds["incident"].of, errors.seconds["incident"].worst) == (2, 61)
    assert [one.run for one in found.failed] == ["1/2 error_rate"]
    assert [one.run for one in found.wrong] == ["1/1 error_rate"]
    assert found.scenarios[BAD] == errors


def test_a_run_on_too_busy_a_machine_counts_and_is_told_apart() -> None:
    busy = WELL.model_copy(update={"late_of_good": 0.3})
    found = figures([run(), run(1, users=busy, stages=Stages(incident=70), wrong="ended mixed")])
    assert found.scenarios[BAD].within["incident"] == 0.5
    assert found.scenarios[BAD].disturbed == 1
    assert found.scenarios[UNDISTURBED].within["incident"] == 1


def test_what_begins_after_the_warm_up_is_told_apart() -> None:
    late = run(1, first_bad_s=101, stages=Stages(incident=100, decision=100, change=101))
    found = figures([run(), late])
    assert found.scenarios[EARLY].within["incident"] == 1
    assert found.scenarios[LATER].within["incident"] == 0


def test_a_rollback_is_false_of_a_good_release_and_before_the_fault() -> None:
    before = run(stages=Stages(incident=-3, decision=-3, change=-2, away=-2, verified=20))
    found = figures(
        [run(), before, healthy(rolled_back=True), healthy(rollback="one"), healthy(watched_s=95.5)]
    )
    assert found.false_rollbacks == 3
    assert found.watched_well_s == 95.5
    assert found.scenarios["healthy"].seconds == {}


def test_one_seed_plans_the_same_runs_and_a_file_knows_those_it_has(tmp_path: Path) -> None:
    names = ["error_rate", "healthy", "error_rate"]
    asked = list(runs(names, 2, seed=7))
    assert asked == list(runs(names, 2, seed=7))
    assert [one.scenario for one in asked] == names * 2
    assert len({one.breaks_after_s for one in asked}) == 6
    made = [run(0, seed=7), run(2, seed=7, failure="no ports"), run(1, seed=8)]
    assert [one.number for one in still_to_make(asked, made)] == [1, 3, 4, 5]


async def test_a_run_that_does_not_start_is_kept_as_failed_and_a_cut_line_is_not(
    tmp_path: Path,
) -> None:
    out = tmp_path / "runs.jsonl"
    out.write_text(run(5).model_dump_json() + '\n{"seed": 1, "num')
    (asked,) = runs(["no such scenario"], 1, seed=1)
    await series([asked], out, at_once=2, within_s=60)
    first, failed = kept(out)
    assert first.number == 5
    assert failed.scenario == "no such scenario"
    assert "KeyError" in failed.failure
    await series([asked], out, at_once=1, within_s=-1)
    assert len(kept(out)) == 2, "nothing is begun after its time"
