"""Where a rollback is disturbed: a fault, at a moment of one step of a strategy's plan."""

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

from rollback_manager.values import Value


class Fault(StrEnum):
    """What is done to the worker."""

    NONE = "undisturbed"
    KILLED = "killed"
    FROZEN = "frozen and thawed"
    LOST = "response lost"


class Moment(StrEnum):
    """When, seen from the activity that carries the step out.

    Of a step that only reads, the effect is its answer.
    """

    BEFORE = "before the effect"
    EFFECT = "after the effect, before the record"
    POLLING = "while polling"
    RECORDED = "after the record"


WRITERS = frozenset({"prepare", "redirect_traffic", "stop_batch", "clean_up"})
"""Steps that write to a target. The oracle does not rely on it: an unknown writer is seen there."""


class Point(Value):
    """One run of the matrix. seed: chooses among the ways in which the fault can come about."""

    strategy: str
    step: int
    activity: str
    moment: Moment
    fault: Fault
    seed: int = 0

    @property
    def writes(self) -> bool:
        """Whether the step writes to a target."""
        return self.activity in WRITERS

    def __str__(self) -> str:
        """As in `canary · step 1 redirect_traffic · while polling · killed`."""
        return f"{self.strategy} · step {self.step} {self.activity} · {self.moment} · {self.fault}"


def points(strategy: str, activities: Sequence[str], seed: int) -> Iterator[Point]:
    """Every kind of activity in a plan × moment × fault.

    activities: the plan's, in order. Of an activity that occurs several times, the seed draws which
    occurrence a run disturbs; it is asked the draws of one strategy in one order.
    """
    draw = random.Random(f"{seed} {strategy}")
    for activity in dict.fromkeys(activities):
        steps = [number for number, name in enumerate(activities) if name == activity]
        for moment in Moment:
            for fault in (Fault.KILLED, Fault.FROZEN, Fault.LOST):
                yield Point(
                    strategy=strategy,
                    step=draw.choice(steps),
                    activity=activity,
                    moment=moment,
                    fault=fault,
                    seed=draw.randrange(1_000_000),
                )


def sample(whole: Sequence[Point], most: int, seed: int) -> list[Point]:
    """At most so many of them, in which every strategy × fault × moment has its turn."""
    shuffled = random.Random(seed).sample(whole, len(whole))
    cells: dict[tuple[str, str, str], list[Point]] = {}
    for point in shuffled:
        cells.setdefault((point.strategy, point.fault, point.moment), []).append(point)
    rounds = max((len(row) for row in cells.values()), default=0)
    ordered = [row[n] for n in range(rounds) for row in cells.values() if n < len(row)]
    return ordered[:most]
