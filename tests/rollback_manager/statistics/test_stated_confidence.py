"""A small sample of `python -m benchmarks.calibration`: a stated confidence comes true."""

import json

import numpy as np
import pytest

from benchmarks.calibration.alarms import AS_SHIPPED, PARTS, alarms, evidence
from benchmarks.calibration.figures import measure
from benchmarks.calibration.mix import FULL, Mix
from benchmarks.detection.cells import Cell
from benchmarks.detection.history import Histories
from benchmarks.detection.world import SHARE, Fault, Releases, S
from rollback_manager.statistics.release_watch import ReleaseWatch

SEED = 91
SMALL = Mix(500, (10,), ("warm-up doubled",), ("errors 5 %",))
BRIEF_S = 45


@pytest.mark.long
def test_a_calibrated_confidence_comes_true_more_often_than_the_sum_of_signs() -> None:
    found = measure(SMALL, (SEED, SEED + 10_000), BRIEF_S)
    assert found.calibrated.table.count > 80
    assert found.calibrated.table.expected_error < 0.12, "0.05 is the goal, with enough alarms"
    assert found.seeds.table.expected_error > 2 * found.calibrated.table.expected_error
    assert found.calibrated.brier < found.seeds.brier
    assert json.loads(json.dumps(found.as_json()))["calibrated"]["bins"]


def test_the_whole_of_the_evidence_is_there_exactly_where_the_detector_speaks() -> None:
    watch = ReleaseWatch.begin(Histories().of(S, 10, SEED), SHARE, 60)
    spoke = 0
    for second in Releases(S, Fault(errors=0.11), 10, 60, SEED):
        watch = watch.with_more(second.interval)
        for test in (watch.errors, watch.slow):
            part, nats = evidence(test)
            assert ((part >= 1) == test.regressed).all()
            assert (nats[test.regressed] > 0).all()
        spoke = int(watch.errors.regressed.sum())
        if second.interval.at_s[0] > 60:
            break
    assert 0 < spoke < 60


def test_a_release_is_judged_once_at_each_part_of_the_evidence() -> None:
    cell = Cell(S, Fault(errors=0.5), 10, 20, SEED)
    found = [one for one in alarms(cell, Histories(), 30) if one.alarm.nats]
    keys = [(one.alarm.incident, one.alarm.trigger, one.part) for one in found]
    assert len(keys) == len(set(keys))
    assert {one.part for one in found} >= {0, AS_SHIPPED}
    assert not any(one.alarm.false for one in found)
    rising = sorted(found, key=lambda one: (one.alarm.incident, one.alarm.trigger, one.part))
    assert all(np.diff([one.at_s for one in rising if one.alarm.incident == f"{SEED}/0"
                        and one.alarm.trigger == "critical_error_rate"]) >= 0)  # fmt: skip
    assert len(PARTS) > AS_SHIPPED


def test_one_release_in_ten_is_bad_and_no_two_cells_share_a_seed() -> None:
    past, fresh = list(FULL.cells(0)), list(FULL.cells(20_000))
    bad = sum(cell.releases for cell in past if cell.fault != Fault())
    assert bad / sum(cell.releases for cell in past) == pytest.approx(0.1, abs=0.001)
    seeds = [cell.seed + batch for cell in (*past, *fresh) for batch in range(10)]
    assert len(seeds) == len(set(seeds))
