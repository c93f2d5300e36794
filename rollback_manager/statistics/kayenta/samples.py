"""Figures of one sample, or of two side by side, computed as Netflix's Kayenta computes them.

Samples are finite numbers in the metric's own unit. Means and variances are two-pass (Chan, Golub
and LeVeque, 1983), as in the library that Kayenta uses: a bound such as "mean ratio 1.2 or more"
is met or missed in the last bit.
"""

import math
from collections.abc import Sequence
from itertools import chain

from rollback_manager.statistics.kayenta.intervals import ranked_wins
from rollback_manager.values import Count, Value


class Summary(Value):
    """A sample in five figures; all zero for an empty one. `std` divides by n - 1."""

    min: float = 0.0
    max: float = 0.0
    mean: float = 0.0
    std: float = 0.0
    count: Count = 0


def summary(values: Sequence[float]) -> Summary:
    """The five figures of a sample."""
    if not values:
        return Summary()
    return Summary(
        min=min(values),
        max=max(values),
        mean=mean(values),
        std=math.sqrt(sample_variance(values)),
        count=len(values),
    )


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN for an empty sample."""
    if not values:
        return math.nan
    rough = sum(values) / len(values)
    return rough + sum(value - rough for value in values) / len(values)


def sample_variance(values: Sequence[float]) -> float:
    """Squared spread with n - 1 below the line; 0 for one value, NaN for none."""
    if len(values) < 2:
        return 0.0 if values else math.nan
    return _squares(values) / (len(values) - 1)


def population_variance(values: Sequence[float]) -> float:
    """Squared spread with n below the line; NaN for no value."""
    return _squares(values) / len(values) if values else math.nan


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear between order statistics (Hyndman and Fan's type 7); NaN for an empty sample.

    percent: above 0, at most 100.
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    place = 1 + (len(ordered) - 1) * (percent / 100)  # from 1, for the same rounding as Kayenta's
    below = min(math.floor(place), len(ordered))
    above = min(below + 1, len(ordered))
    low, high = ordered[below - 1], ordered[above - 1]
    return low + (place - below) * (high - low)


def mean_ratio(baseline: Sequence[float], candidate: Sequence[float]) -> float | None:
    """Candidate's mean ÷ baseline's mean; None where either is 0 or a sample is empty."""
    below, above = mean(baseline), mean(candidate)
    if below == 0 or above == 0 or math.isnan(below) or math.isnan(above):
        return None
    return above / below


def cles(baseline: Sequence[float], candidate: Sequence[float]) -> float | None:
    """Chance that a value of the candidate exceeds one of the baseline, ties counted half.

    The common language effect size of Vargha and Delaney (2000): 0.5 is no effect. None where a
    sample is empty.
    """
    pairs = len(baseline) * len(candidate)
    return ranked_wins(sorted(candidate), sorted(baseline)) / pairs if pairs else None


def cohens_d(baseline: Sequence[float], candidate: Sequence[float]) -> float | None:
    """Distance of the means in pooled standard deviations (Cohen, 1988); None without spread."""
    degrees = len(baseline) + len(candidate) - 2
    if degrees < 1 or not baseline or not candidate:
        return None
    pooled = math.sqrt(sum(map(_squares, (baseline, candidate))) / degrees)
    return abs(mean(candidate) - mean(baseline)) / pooled if pooled else None


def constant(*samples: Sequence[float]) -> bool:
    """Whether all values of all samples are one and the same."""
    return len(set(chain.from_iterable(samples))) == 1


def _squares(values: Sequence[float]) -> float:
    centre = mean(values)
    gaps = [value - centre for value in values]
    return sum(gap * gap for gap in gaps) - sum(gaps) ** 2 / len(gaps)
