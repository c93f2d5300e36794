"""Business numbers and throughput: did they fall below what this time of day usually brings?"""

from dataclasses import dataclass

import numpy as np

from rollback_manager.statistics.evidence import Amounts, Answer, Finding, cannot_tell
from rollback_manager.statistics.seasonal import drop, seasonal

MINUTES = 3
"""The median of three minutes: on nine real series a drop of 35 % was found in 99 % within one
minute more, at 10 false per 1,000, the honest operating point of one real series."""
LEAST_SCALES = 4.0
"""How far the drop must stand out of the usual scatter."""


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
    comparator = f"the same minutes of {len(days)} former days"
    model = seasonal(days, before)
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
