"""Alarms of the detector as shipped, and those that it would give if less evidence were enough."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.detection.cells import BATCH, Cell
from benchmarks.detection.history import Histories
from benchmarks.detection.world import HEALTHY, SHARE, WATCH_S, Releases
from rollback_manager.decision.levels import PastAlarm
from rollback_manager.statistics.evidence import Amounts, Flags
from rollback_manager.statistics.excess import Excess
from rollback_manager.statistics.release_watch import ReleaseWatch
from rollback_manager.watch.detected import TRIGGERS

PARTS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.5, 2.5)
"""Of the evidence at which the detector speaks. A judgement is made when each is first reached:
below 1 so that there is a confidence to be wrong about, above it as an incident goes on."""
AS_SHIPPED = PARTS.index(1.0)


@dataclass(frozen=True)
class Stated:
    """An alarm at the moment at which it is judged. part: place in PARTS. at_s: since the start."""

    alarm: PastAlarm
    part: int
    at_s: float
    rps: float


def alarms(cell: Cell, histories: Histories, watch_s: int = WATCH_S) -> Iterator[Stated]:
    """All alarms of the cell's releases in the first `watch_s` seconds."""
    sizes = [BATCH] * (cell.releases // BATCH) + [cell.releases % BATCH]
    for number, size in enumerate(sizes):
        if size:
            yield from _batch(replace(cell, releases=size, seed=cell.seed + number), histories,
                              watch_s)  # fmt: skip


def _batch(cell: Cell, histories: Histories, watch_s: int) -> Iterator[Stated]:
    history = histories.of(cell.world, cell.rps, 1_000_000 + cell.seed)
    watch = ReleaseWatch.begin(history, SHARE, cell.releases)
    tests = [_Reached(cell.releases), _Reached(cell.releases)]
    for second in Releases(cell.world, cell.fault, cell.rps, cell.releases, cell.seed):
        at_s = float(second.interval.at_s[0])
        if at_s > watch_s:
            break
        watch = watch.with_more(second.interval)
        if at_s <= cell.fault.onset_s:
            continue
        for reached, test in zip(tests, (watch.errors, watch.slow), strict=True):
            reached.note(test, at_s, ~watch.common_mode)
    for reached, test in zip(tests, (watch.errors, watch.slow), strict=True):
        yield from _stated(cell, reached, test.knobs.test)


class _Reached:
    """When each part of the evidence was first reached, and how much there was then."""

    def __init__(self, releases: int) -> None:
        self.at_s = np.full((len(PARTS), releases), math.inf)
        self.nats = np.zeros((len(PARTS), releases))

    def note(self, test: Excess, at_s: float, counts: Flags) -> None:
        part, nats = evidence(test)
        new = (part >= np.array(PARTS)[:, None]) & np.isinf(self.at_s) & counts
        self.at_s[new] = at_s
        self.nats = np.where(new, nats, self.nats)


def service(rps: float) -> str:
    """All releases of one traffic are those of one service."""
    return f"{rps} rps"


def evidence(test: Excess) -> tuple[Amounts, Amounts]:
    """Which part of the evidence that it needs a test has, and how many nats those are.

    It has all of it, 1 or more, exactly where it says "regressed".
    """
    knobs = test.knobs
    open_to_all = replace(test, knobs=replace(knobs, early_nats=-math.inf, late_nats=math.inf))
    may_be_early = open_to_all.regressed
    early, late = open_to_all.early_nats, open_to_all.late_nats
    parts = early / knobs.early_nats, late / knobs.late_nats
    reached = np.maximum(np.where(may_be_early, parts[0], 0), parts[1])
    return reached, np.maximum(np.where(parts[1] > parts[0], late, early), 0)


def _stated(cell: Cell, reached: _Reached, test: str) -> Iterator[Stated]:
    for part, release in zip(*np.nonzero(np.isfinite(reached.at_s)), strict=True):
        alarm = PastAlarm(
            incident=f"{cell.seed}/{release}",
            service=service(cell.rps),
            trigger=TRIGGERS[test],
            nats=float(reached.nats[part, release]),
            false=cell.fault == HEALTHY,
        )
        yield Stated(alarm, int(part), float(reached.at_s[part, release]), cell.rps)
