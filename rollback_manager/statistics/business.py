"""Business numbers and throughput: did they fall below what this time of day usually brings?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rollback_manager.statistics.evidence import Amounts, Answer, Finding, cannot_tell
from rollback_manager.statistics.seasonal import Seasonal, drop, seasonal

MINUTES = 3
"""The median of three minutes: one odd minute is no news."""
LEAST_SCALES = 4.0
"""How far the drop must stand out of the usual scatter. With three, more drops are found in the
series of `make score-data`, and more than 10 of 1,000 good half hours are blamed."""


@dataclass(frozen=True)
class Floor:
    """How deep a number may fall. drop: relative; least_count: per minute, below which it is noise.

    The seed's: 0.2 for revenue and conversions, which a person decides, and 0.5 for throughput. A
    drop of 20 % needs 321 expected events to be told from chance, against a known usual.
    """

    name: str
    drop: float
    least_count: float = 5.0


BUSINESS = Floor("business_metric", 0.2)
THROUGHPUT = Floor("throughput", 0.5)


def judge_floor(floor: Floor, days: Amounts, before: Amounts, watched: Amounts) -> Finding:
    """Whether the number fell by more than `floor.drop`; arguments as in `seasonal`.

    Both the size and the scatter must agree: a large drop of a noisy number is no news, nor is a
    clear one of 3 %.
    """
    return judge_season(floor, seasonal(days, before), len(days), watched)


def judge_season(floor: Floor, model: Seasonal | None, days: int, watched: Amounts) -> Finding:
    """The same with the season of `days` former days as `seasonal` gave it, made once a watch."""
    comparator = f"the same minutes of {days} former days"
    if model is None:
        return cannot_tell(floor.name, comparator, "too little history of this time of day")
    if len(watched) < MINUTES or np.isnan(watched[-MINUTES:]).any():
        return cannot_tell(floor.name, comparator, f"no {MINUTES} minutes in a row measured")
    if float(np.nanmean(model.expected[: len(watched)][-MINUTES:])) < floor.least_count:
        return cannot_tell(floor.name, comparator, "too few are expected at this time of day")
    return _finding(floor, comparator, *drop(model, watched, MINUTES), float(watched.sum()))


def _finding(floor: Floor, comparator: str, fell: float, scales: float, seen: float) -> Finding:
    regressed = fell > floor.drop and scales >= LEAST_SCALES
    fine = fell <= floor.drop and not regressed
    return Finding(
        test=floor.name,
        answer=Answer.REGRESSED
        if regressed
        else Answer.FINE_SO_FAR
        if fine
        else Answer.CANNOT_TELL,
        evidence_nats=max(0.0, scales) ** 2 / 2,
        threshold_nats=LEAST_SCALES**2 / 2,
        requests=max(0, round(seen)) if np.isfinite(seen) else 0,
        comparator=comparator,
        because=f"{-fell:+.0%} in {MINUTES} min, {abs(scales):.1f} times the usual scatter",
        effect=-fell,
        fine_up_to=floor.drop if fine else None,
    )


IN_A_ROW = 3
"""Readings beyond a declared floor, of which one may be a hiccup and two a coincidence."""


@dataclass(frozen=True)
class Declared:
    """The worst value that people call well. better: in which direction the number does well."""

    floor: float
    better: Literal["higher", "lower"] = "higher"

    def is_beyond(self, value: float) -> bool:
        """Whether it is worse than that."""
        return value < self.floor if self.better == "higher" else value > self.floor


def judge_declared(
    declared: Declared, before: Sequence[float], readings: Sequence[float | None]
) -> Finding:
    """Whether the last readings are all beyond the floor, and those before the release were not.

    readings: since the release, the oldest first; None where there was none, which is never below.
    What is lost is measured against the last ones before it: a number has its times of day.
    """
    words = f"the declared floor of {declared.floor:g}"
    last = [one for one in readings[-IN_A_ROW:] if one is not None]
    if len(last) < IN_A_ROW:
        return cannot_tell(BUSINESS.name, words, f"no {IN_A_ROW} readings in a row")
    beyond = [declared.is_beyond(one) for one in last]
    earlier = list(before[-IN_A_ROW:])
    if all(beyond) and earlier and all(declared.is_beyond(one) for one in earlier):
        return cannot_tell(BUSINESS.name, words, "it was beyond it before the release as well")
    usual = float(np.median(earlier)) if earlier else declared.floor
    lost = _lost(declared, float(np.median(last)), usual)
    answer = Answer.CANNOT_TELL if beyond[-1] else Answer.FINE_SO_FAR
    return Finding(
        test=BUSINESS.name,
        answer=Answer.REGRESSED if all(beyond) else answer,
        evidence_nats=float(sum(beyond)),
        threshold_nats=float(IN_A_ROW),
        requests=0,
        comparator=words,
        because=f"{', '.join(f'{one:g}' for one in last)} with a usual {usual:g}",
        effect=-lost,
    )


def _lost(declared: Declared, value: float, usual: float) -> float:
    """The share of the usual number that is lost, or where lower is better added."""
    off = usual - value if declared.better == "higher" else value - usual
    return off / abs(usual) if usual else float(off > 0)
