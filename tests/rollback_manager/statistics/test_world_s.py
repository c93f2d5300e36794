"""A small fixed sample of world S: the full one is `python -m benchmarks.detection`."""

import json

import numpy as np
import pytest

from benchmarks.detection.cells import Cell, delays, first_alarms
from benchmarks.detection.families import FAMILIES
from benchmarks.detection.figures import measure
from benchmarks.detection.history import Histories
from benchmarks.detection.plan import FAULTS, Plan
from benchmarks.detection.shares import Share
from benchmarks.detection.world import HEALTHY, Releases, S
from rollback_manager.statistics import errors
from rollback_manager.statistics.errors import KNOBS
from rollback_manager.statistics.release_watch import History
from rollback_manager.statistics.rows import row

SEED = 77


@pytest.fixture(scope="module")
def histories() -> Histories:
    return Histories()


def test_good_releases_are_left_alone(histories: Histories) -> None:
    cell = Cell(S, HEALTHY, 10, 150, SEED)
    makers = {name: FAMILIES[name] for name in ("shipped", "static 1 of 1")}
    first = first_alarms(cell, makers, histories)
    assert np.isfinite(first["shipped"]).sum() <= 1
    assert np.isfinite(first["static 1 of 1"]).mean() > 0.1


@pytest.mark.parametrize(
    ("fault", "rps", "at_most_s"), [("errors_11", 10, 35), ("p95_x2.1", 100, 45)]
)
def test_bad_ones_are_noticed_in_time(
    histories: Histories, fault: str, rps: int, at_most_s: float
) -> None:
    cell = Cell(S, FAULTS[fault], rps, 60, SEED)
    first = first_alarms(cell, {"shipped": FAMILIES["shipped"]}, histories)["shipped"]
    assert np.median(delays(first, FAULTS[fault].onset_s)) <= at_most_s


def test_the_learnt_envelope_covers_the_warm_up_of_world_s(histories: Histories) -> None:
    learnt = histories.of(S, 1, SEED).error_envelope
    seconds = np.array([5.0, 20.0, 40.0])
    assert (learnt(seconds) >= S.warm_up * np.exp(-seconds / 20)).all()
    assert (learnt(seconds) <= KNOBS.spread * S.warm_up * np.exp(-seconds / 20)).all()
    assert (errors.UNSEEN(seconds) >= learnt(seconds)).all()


def test_the_same_seed_gives_the_same_world() -> None:
    for one, same in zip(
        Releases(S, HEALTHY, 10, 3, SEED), Releases(S, HEALTHY, 10, 3, SEED), strict=True
    ):
        assert (one.interval.control.errors == same.interval.control.errors).all()
        assert row(one.interval.new, 1).requests == same.interval.new.requests[1]
        if one.interval.at_s > 5:
            break


class NoHistory:
    def of(self, *_: object, **__: object) -> History:
        return History(S.base_error)


def test_a_share_states_its_interval() -> None:
    low, high = Share(0, 4000).interval
    assert low == 0
    assert 0.9 < high < 1.0


def test_the_result_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.detection.world.WATCH_S", 20)
    monkeypatch.setattr("benchmarks.detection.world.BEFORE_S", 20)
    monkeypatch.setattr("benchmarks.detection.figures.Histories", NoHistory)
    monkeypatch.setattr("benchmarks.detection.figures._speed", lambda *_, **__: 1.0)
    plan = Plan(SEED, healthy=5, shifted=5, bad=5, makers=FAMILIES)
    said = json.loads(json.dumps(measure(plan).as_json()))
    assert said["false_per_1000"].keys() == {"1", "10", "100"}
    assert said["median_delay_s"].keys() == FAULTS.keys()
    assert said["median_delay_s"]["late_11"]["1"] is None
