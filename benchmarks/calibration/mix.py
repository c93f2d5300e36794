"""The releases that alarms come from. What share of them is bad is an assumption, made here."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from benchmarks.detection.cells import Cell
from benchmarks.detection.world import HEALTHY, SHIFTED, Fault, S, World

BAD = 0.1
"""One release in ten is bad. It is stated, not measured: a confidence holds for such a mix alone,
which is why a service's own past counts for more than anything simulated."""
AS_TUNED = 2 / 3
"""Of the good releases; the others are of the shifted worlds, in equal parts."""
TRAFFICS = (1, 10, 100)
"""Requests per second, in equal parts."""
FAULTS = {
    "errors 3 %": Fault(errors=0.03),
    "errors 5 %": Fault(errors=0.05),
    "errors 11 %": Fault(errors=0.11),
    "errors 25 %": Fault(errors=0.25),
    "errors 50 %": Fault(errors=0.50),
    "P95 x 1.5": Fault(latency=1.5),
    "P95 x 2.1": Fault(latency=2.1),
    "P95 x 3": Fault(latency=3.0),
    "errors 11 %, late": Fault(errors=0.11, onset_s=600),
}
"""Bad releases, in equal parts, of world S: from such as hardly anybody notices to the worst."""
SEEDS_APART = 100


@dataclass(frozen=True)
class Mix:
    """So many releases of each traffic; `parts` of them that can be had."""

    releases: int
    traffics: tuple[int, ...] = TRAFFICS
    worlds: tuple[str, ...] = tuple(SHIFTED)
    faults: tuple[str, ...] = tuple(FAULTS)

    def cells(self, seed: int) -> Iterator[Cell]:
        """All of them, good ones first."""
        seeds = count(seed, SEEDS_APART)
        good = self.releases * (1 - BAD)
        worlds: list[tuple[World, float]] = [(S, good * AS_TUNED)]
        worlds += [(SHIFTED[w], good * (1 - AS_TUNED) / len(self.worlds)) for w in self.worlds]
        bad = self.releases * BAD / len(self.faults)
        for rps in self.traffics:
            for world, share in worlds:
                yield Cell(world, HEALTHY, rps, round(share), next(seeds))
            for fault in self.faults:
                yield Cell(S, FAULTS[fault], rps, round(bad), next(seeds))


FULL = Mix(5040)
QUICK = Mix(1000, (10,), ("warm-up doubled",), ("errors 5 %", "errors 25 %", "P95 x 2.1"))
"""Seconds; too few for a figure."""
