"""May this one write happen now? Judged from live readiness, right before the write."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from rollback_manager.policy import Policy
from rollback_manager.values import Value

ROUNDING = 1
"""Shares are whole percents: a side may look one percent busier than its instances are."""


class Judgement(Value):
    """The guard's answer, with the numbers that it rests on."""

    allowed: bool
    because: str


BY_SIZE = ((10, 1.00), (20, 0.90))
"""(fewer instances than, fraction): Spinnaker's table for the side that is to carry the load."""
LARGE = 0.95


def fraction_for(desired: int, policy: Policy) -> float:
    """The policy's fraction, or more where it asks small services for more."""
    if not policy.floor_by_size:
        return policy.floor_fraction
    by_size = next((fraction for below, fraction in BY_SIZE if desired < below), LARGE)
    return max(policy.floor_fraction, by_size)


def floor_for(desired: int, fraction: float) -> int:
    """Ready instances that must remain: max(1, ⌈fraction × desired⌉).

    A share of *desired*, not of what is ready now: that would ratchet down with every write.
    The default fraction, 0.66, is AWS's minimum healthy percent rounded as Spinnaker does.
    """
    return max(1, math.ceil(round(fraction * desired, 9)))


class Side(Value):
    """One version before a write: its share now and then, its ready instances, what users got."""

    version: str
    now: int
    then: int
    ready: int
    told: str = ""

    def __str__(self) -> str:
        """In words: `v1 0 → 100 %, 4 ready, 3 of 200 requests failed`."""
        share = f"{self.now} → {self.then} %" if self.now != self.then else f"{self.now} %"
        return f"{self.version} {share}, {self.ready} ready" + (
            f", {self.told}" if self.told else ""
        )


def judge_shift(sides: Sequence[Side], floor: int) -> Judgement:
    """May the traffic be split as each side's `then` says? Every version with traffic is a side."""
    numbers = f"{'; '.join(map(str, sides))}; floor {floor}"
    if all(side.ready == 0 for side in sides):
        return Judgement(allowed=True, because=f"nothing is up, the guard steps aside ({numbers})")
    dead = [side.version for side in sides if side.then > side.now and side.ready == 0]
    if dead:
        return Judgement(allowed=False, because=f"{', '.join(dead)} is dead ({numbers})")
    before = carries((side.now, side.ready) for side in sides)
    after = carries((side.then, side.ready) for side in sides)
    if after >= floor or after >= before:
        return Judgement(allowed=True, because=numbers)
    return Judgement(allowed=False, because=f"it would fall below the floor ({numbers})")


def judge_batch(sides: Sequence[Side], stopped: str, instances: int, floor: int) -> Judgement:
    """May `stopped`, which keeps its share, go down to `instances` of its ready ones?"""
    left = {s.version: min(s.ready, instances) if s.version == stopped else s.ready for s in sides}
    after = carries((side.now, left[side.version]) for side in sides)
    numbers = f"{'; '.join(map(str, sides))}; {stopped} down to {instances}; floor {floor}"
    if after >= floor:
        return Judgement(allowed=True, because=numbers)
    return Judgement(allowed=False, because=f"it would fall below the floor ({numbers})")


def judge_relief(kept_ready: int, floor: int) -> Judgement:
    """May the other version stop, where the traffic goes to whatever instances are there?"""
    numbers = f"{kept_ready} ready would carry everything; floor {floor}"
    return Judgement(allowed=kept_ready >= floor, because=numbers)


def carries(sides: Iterable[tuple[int, int]]) -> Fraction:
    """How many instances' worth of the whole load a split carries: its weakest side decides.

    sides: (share in percent, ready instances). 25 % on 1 and 75 % on 3 carry 4; 50 % on 2 and 50 %
    on 4 also carry 4, for the smaller side is full then.
    """
    return min((_alone(part, ready) for part, ready in sides if part), default=Fraction(0))


def _alone(part: int, ready: int) -> Fraction:
    busy = part if part == 100 else max(1, part - ROUNDING)
    return Fraction(100 * ready, busy)


def judge_removal(kept_ready: int, floor: int, percent: int, in_flight: int) -> Judgement:
    """May a version that has `percent` of the traffic and `in_flight` requests be stopped?"""
    if percent > 0:
        return Judgement(allowed=False, because=f"it still has {percent} % of the traffic")
    if in_flight > 0:
        return Judgement(allowed=False, because=f"it still answers {in_flight} requests")
    if kept_ready < floor:
        return Judgement(allowed=False, because=f"ready {kept_ready} would be all, floor {floor}")
    return Judgement(allowed=True, because=f"ready {kept_ready} remain, floor {floor}, no traffic")
