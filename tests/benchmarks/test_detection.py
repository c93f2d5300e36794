"""The simulated worlds and the families that are not ours."""

import numpy as np
import pytest

from benchmarks.detection.cells import Cell, first_alarms
from benchmarks.detection.families import SLOW
from benchmarks.detection.history import Histories
from benchmarks.detection.world import HEALTHY, SHIFTED, Fault, Releases, S


def seen(world_name: str, faces: str) -> np.ndarray:
    """Shares of failed and of slow requests of one version: [face, second, release]."""
    releases = Releases(SHIFTED[world_name], HEALTHY, 100, 60, seed=5)
    shares: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for second in releases:
        new, old = second.interval.new, second.interval.control
        arm = new if faces == "new" else old
        if second.interval.at_s[0] > 200:
            shares[0].append(arm.errors / arm.requests)
            shares[1].append(arm.slow / arm.timed)
    return np.array(shares)


def test_an_outage_upstream_hits_both_versions_alike() -> None:
    new, old = (seen("outage upstream for ten minutes", arm) for arm in ("new", "control"))
    assert (old[0].max(axis=0) > 0.04).all()
    assert (new[0].max(axis=0) > 0.04).all()
    assert np.abs(new[0].mean() - old[0].mean()) < 0.005


@pytest.mark.parametrize("schedule", SLOW)
def test_kayenta_sees_a_large_fault_at_an_end_of_its_intervals(schedule: str) -> None:
    cell = Cell(S, Fault(errors=0.5), 10, 2, seed=3)
    first = first_alarms(cell, {schedule: SLOW[schedule]}, Histories())[schedule]
    every_s = 60 if "every minute" in schedule else 300 if "5 min" in schedule else 500
    assert np.isfinite(first).all()
    assert (first % every_s == 0).all()
