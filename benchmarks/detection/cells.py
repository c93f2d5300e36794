"""One cell: a world, a fault, a traffic; when each family first wants a rollback."""

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.families import Maker
from benchmarks.detection.history import Histories
from benchmarks.detection.world import HEALTHY, WATCH_S, Fault, Releases, World
from rollback_manager.statistics.evidence import Amounts

BATCH = 1000
"""Releases that are simulated at once, of one service: each batch has a history of its own."""
ENOUGH = 0.97
"""Once every family has found so many, their 95th percentiles are known."""


@dataclass(frozen=True)
class Cell:
    """What is simulated. seed: of the first batch; the others follow."""

    world: World
    fault: Fault
    rps: float
    releases: int
    seed: int


def first_alarms(cell: Cell, makers: dict[str, Maker], histories: Histories) -> dict[str, Amounts]:
    """Per family, seconds since start of the first alarm of each release; infinity for none."""
    sizes = [BATCH] * (cell.releases // BATCH) + [cell.releases % BATCH]
    batches = [
        _batch(cell, size, cell.seed + number, makers, histories)
        for number, size in enumerate(sizes)
        if size
    ]
    return {name: np.concatenate([one[name] for one in batches]) for name in makers}


def _batch(
    cell: Cell, size: int, seed: int, makers: dict[str, Maker], histories: Histories
) -> dict[str, Amounts]:
    history = histories.of(cell.world, cell.rps, 1_000_000 + seed)
    families = {name: make(history, cell.rps, size) for name, make in makers.items()}
    first = {name: np.full(size, math.inf) for name in families}
    for second in Releases(cell.world, cell.fault, cell.rps, size, seed):
        at_s = float(second.interval.at_s[0])
        for name, family in families.items():
            new = family.alarms(second) & np.isinf(first[name])
            first[name][new] = at_s
        if _all_found(cell, at_s, first):
            break
    return first


def _all_found(cell: Cell, at_s: float, first: dict[str, Amounts]) -> bool:
    """Whether the rest of the watch can change no median and no 95th percentile."""
    if cell.fault == HEALTHY or at_s <= cell.fault.onset_s or at_s == WATCH_S:
        return False
    return all(np.isfinite(one).mean() >= ENOUGH for one in first.values())


def delays(first: Amounts, onset_s: float) -> Amounts:
    """Seconds from onset to alarm of releases without an alarm before; infinity for not found."""
    return first[first > onset_s] - onset_s
