"""May this one write happen now? Judged from live readiness, right before the write."""

import math

from rollback_manager.values import Value


class Judgement(Value):
    """The guard's answer, with the numbers that it rests on."""

    allowed: bool
    because: str


def floor_for(desired: int, fraction: float) -> int:
    """Ready instances that must remain: max(1, ⌈fraction × desired⌉).

    A share of *desired*, not of what is ready now: that would ratchet down with every write.
    The default fraction, 0.66, is AWS's minimum healthy percent rounded as Spinnaker does.
    """
    return max(1, math.ceil(round(fraction * desired, 9)))


def judge_shift(to_ready: int, from_ready: int, floor: int) -> Judgement:
    """May all traffic go to a side with `to_ready` ready instances?

    `from_ready`: ready instances of the side that carries it now.
    """
    numbers = f"ready {to_ready} where the traffic goes, {from_ready} where it is, floor {floor}"
    if to_ready == 0 and from_ready == 0:
        return Judgement(allowed=True, because=f"nothing is up, the guard steps aside ({numbers})")
    if to_ready == 0:
        return Judgement(allowed=False, because=f"that side is dead ({numbers})")
    if to_ready >= floor or to_ready >= from_ready:
        return Judgement(allowed=True, because=numbers)
    return Judgement(allowed=False, because=f"it would fall below the floor ({numbers})")


def judge_removal(kept_ready: int, floor: int, percent: int, in_flight: int) -> Judgement:
    """May a version that has `percent` of the traffic and `in_flight` requests be stopped?"""
    if percent > 0:
        return Judgement(allowed=False, because=f"it still has {percent} % of the traffic")
    if in_flight > 0:
        return Judgement(allowed=False, because=f"it still answers {in_flight} requests")
    if kept_ready < floor:
        return Judgement(allowed=False, because=f"ready {kept_ready} would be all, floor {floor}")
    return Judgement(allowed=True, because=f"ready {kept_ready} remain, floor {floor}, no traffic")
