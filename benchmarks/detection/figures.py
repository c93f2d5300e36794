"""The cells that are measured, and the figures that come of them."""

import time
from dataclasses import replace
from itertools import count

import numpy as np

from benchmarks.detection.cells import Cell, first_alarms
from benchmarks.detection.families import SLOW, Maker
from benchmarks.detection.history import Histories
from benchmarks.detection.plan import FAULTS, TRAFFICS, Plan
from benchmarks.detection.results import Results
from benchmarks.detection.shares import Delay, Share
from benchmarks.detection.world import HEALTHY, SHARE, SHIFTED, Releases, S, World
from benchmarks.figures import progress
from rollback_manager.statistics.evidence import Amounts
from rollback_manager.statistics.release_watch import ReleaseWatch

SEEDS_APART = 100
"""Between two cells, more than a cell has batches."""


def measure(plan: Plan) -> Results:
    """Run every cell of the plan. The same plan gives the same figures, speed apart."""
    results, histories, seeds = Results(plan), Histories(), count(plan.seed, SEEDS_APART)
    results.updates_per_second = _speed(histories, releases=1000, seconds=20)
    results.alone_per_second = _speed(histories, releases=1, seconds=500)
    for fault_name, fault in FAULTS.items():
        for rps in TRAFFICS:
            cell = Cell(S, fault, rps, plan.bad, next(seeds))
            for name, first in _first(cell, plan.makers, plan.slow, histories).items():
                row = results.delays.setdefault((fault_name, name), {})
                row[rps] = Delay.of(first, fault.onset_s)
                if name == "shipped":
                    progress(f"{fault_name} at {rps} rps: {row[rps].words} s")
    worlds: dict[str, World] = {"S": S, **SHIFTED}
    for world_name, world in worlds.items():
        for rps in TRAFFICS:
            releases = plan.healthy if world is S else plan.shifted
            cell = Cell(world, HEALTHY, rps, releases, next(seeds))
            few = plan.slow if world is S else 0
            for name, first in _first(cell, plan.makers, few, histories).items():
                share = Share(int(np.isfinite(first).sum()), first.size)
                results.falses.setdefault((world_name, name), {})[rps] = share
                if name == "shipped":
                    progress(f"{world_name} at {rps} rps: {share.words} per 1,000")
    return results


def _first(
    cell: Cell, makers: dict[str, Maker], few: int, histories: Histories
) -> dict[str, Amounts]:
    """First alarms of all families; the slow ones see `few` releases of the same kind."""
    first = first_alarms(cell, makers, histories)
    return first | (first_alarms(replace(cell, releases=few), SLOW, histories) if few else {})


def _speed(histories: Histories, releases: int, seconds: int) -> float:
    """Updates of one release by the shipped detector per second of a core, `releases` at once."""
    stream = iter(Releases(S, HEALTHY, 10, releases, seed=1))
    intervals = [next(stream).interval for _ in range(seconds)]
    watch = ReleaseWatch.begin(histories.of(S, 10, seed=1), SHARE, releases)
    began = time.process_time()
    for interval in intervals:
        watch = watch.with_more(interval)
        _ = watch.regressed
    return releases * seconds / (time.process_time() - began)
