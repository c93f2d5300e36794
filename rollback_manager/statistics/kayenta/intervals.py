"""How far one sample is shifted against another: the interval of the Mann-Whitney test.

The large-sample interval of Hollander and Wolfe (Nonparametric Statistical Methods, 1973), with
correction for ties and for continuity, as R's `wilcox.test(exact = FALSE)` and Kayenta have it.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

from rollback_manager.errors import PermanentError

TOLERANCE = 1e-4
"""Width, in the metric's unit, at which the search stops; R's and Kayenta's. A metric whose effects
are not much larger than this, such as an error ratio, belongs in percent."""
EPSILON = math.ulp(1.0)
MOST_STEPS = 1001


class AllTied(PermanentError):
    """Moved by some shift all values of both samples coincide: there is no interval."""


class Shift(NamedTuple):
    """Candidate minus baseline in the metric's unit: bounds and the Hodges-Lehmann estimate."""

    low: float
    high: float
    estimate: float


def shift_between(
    baseline: Sequence[float], candidate: Sequence[float], confidence: float
) -> Shift:
    """The two-sided interval for the shift at `confidence` (0…1), and its centre.

    Both samples hold at least one value. Raises AllTied.
    """
    score = _scorer(sorted(baseline), sorted(candidate))
    least, most = min(candidate) - max(baseline), max(candidate) - min(baseline)
    at_least, at_most = score(least), score(most)
    z = -NormalDist().inv_cdf((1 - confidence) / 2)

    def bound(quantile: float) -> float:
        if at_least <= quantile:
            return least
        if at_most >= quantile:
            return most
        return find_root(lambda shift: score(shift) - quantile, least, most)

    return Shift(bound(z), bound(-z), find_root(score, least, most))


def ranked_wins(first: Sequence[float], second: Sequence[float]) -> float:
    """Mann and Whitney's U of the first sample: pairs in which it is higher, ties half.

    Both samples are sorted.
    """
    return sum(bisect_left(second, x) + bisect_right(second, x) for x in first) / 2


def _scorer(baseline: Sequence[float], candidate: Sequence[float]) -> Callable[[float], float]:
    """Shift → z-score of U once the candidate is moved back by it; it falls in steps."""
    m, n = len(candidate), len(baseline)

    def score(shift: float) -> float:
        moved = [value - shift for value in candidate]
        excess = ranked_wins(moved, baseline) - m * n / 2
        ties = sum(count**3 - count for count in Counter([*moved, *baseline]).values())
        spread = math.sqrt(m * n / 12 * ((m + n + 1) - ties / ((m + n) * (m + n - 1))))
        if spread == 0:
            raise AllTied("all observations are tied: no interval can be given")
        continuity = math.copysign(0.5, excess) if excess else 0.0
        return (excess - continuity) / spread

    return score


class _Point(NamedTuple):
    x: float
    y: float


def find_root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where the function crosses 0 between low and high, to TOLERANCE (Brent, 1973, chapter 4).

    A step function may be 0 all along a step, and then the answer is where the search happens to
    land on it. That decides verdicts, so the search is this one and not a library's.
    """
    previous, best = _Point(low, function(low)), _Point(high, function(high))
    if previous.y == 0:
        return low
    opposite = previous
    for _ in range(MOST_STEPS):
        last_step = best.x - previous.x
        if abs(opposite.y) < abs(best.y):
            previous, best, opposite = best, opposite, best
        least_step = 2 * EPSILON * abs(best.x) + TOLERANCE / 2
        step = (opposite.x - best.x) / 2
        if abs(step) <= least_step or best.y == 0:
            break
        if abs(last_step) >= least_step and abs(previous.y) > abs(best.y):
            step = _interpolate(previous, best, opposite, last_step, least_step) or step
        if abs(step) < least_step:
            step = least_step if step > 0 else -least_step
        x = best.x + step
        previous, best = best, _Point(x, function(x))
        if best.y * opposite.y > 0:
            opposite = previous
    return best.x


def _interpolate(
    previous: _Point, best: _Point, opposite: _Point, last_step: float, least_step: float
) -> float | None:
    """Secant or inverse quadratic step; None where halving the bracket is the safer step."""
    span = opposite.x - best.x
    s = best.y / previous.y
    if previous.x == opposite.x:
        p, q = span * s, 1 - s
    else:
        q, r = previous.y / opposite.y, best.y / opposite.y
        p = s * (span * q * (q - r) - (best.x - previous.x) * (r - 1))
        q = (q - 1) * (r - 1) * (s - 1)
    p, q = (p, -q) if p > 0 else (-p, q)
    inside = p < 0.75 * span * q - abs(least_step * q) / 2
    return p / q if inside and p < abs(last_step * q / 2) else None
