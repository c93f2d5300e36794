"""What is done to a sample before it is judged: missing values, outliers, noise.

A missing value is None or NaN; what comes out of `without_missing` or `missing_as` holds none.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from rollback_manager.statistics.kayenta.samples import mean, percentile, population_variance

Detector = Callable[[Sequence[float]], list[bool]]
"""Sample → for each value, whether it is an outlier."""


def without_missing(values: Sequence[float | None]) -> list[float]:
    """The values that were measured."""
    return [value for value in values if value is not None and not math.isnan(value)]


def missing_as(values: Sequence[float | None], instead: float = 0.0) -> list[float]:
    """All values, `instead` standing for each that is missing.

    For counts that are absent while they are 0, such as errors.
    """
    return [instead if value is None or math.isnan(value) else value for value in values]


def outside_iqr(
    values: Sequence[float], factor: float = 1.5, spare_extremes: bool = False
) -> list[bool]:
    """Tukey's fences: more than `factor` interquartile ranges outside the quartiles.

    spare_extremes: nothing between the 1st and the 99th percentile is an outlier either way.
    Raises ValueError unless factor > 0.
    """
    if factor <= 0:
        raise ValueError(f"the factor must be above 0, not {factor}")
    low, high = percentile(values, 25), percentile(values, 75)
    low, high = low - factor * (high - low), high + factor * (high - low)
    if spare_extremes:
        low, high = min(percentile(values, 1), low), max(percentile(values, 99), high)
    return [value > high or value < low for value in values]


def outside_k_sigma(values: Sequence[float], k: float = 3.0) -> list[bool]:
    """More than k population standard deviations from the mean. Raises ValueError unless k > 0."""
    if k <= 0:
        raise ValueError(f"k must be above 0, not {k}")
    centre, reach = mean(values), k * math.sqrt(population_variance(values))
    return [abs(value - centre) > reach for value in values]


def without_outliers(values: Sequence[float], detector: Detector) -> list[float]:
    """The values that the detector leaves."""
    return [value for value, out in zip(values, detector(values), strict=True) if not out]


def normal_sample(count: int, mean: float, std: float, seed: int) -> list[float]:
    """`count` draws from a normal distribution; the same seed, the same draws."""
    return [draw * std + mean for draw in islice(gaussians(seed), count)]


def with_noise(
    values: Sequence[float], draws: Iterator[float], mean: float = 0.0, std: float = 1.0
) -> list[float]:
    """Each value plus a normal draw of that mean and spread, taken from `draws`."""
    return [value + (next(draws) * std + mean) for value in values]


def gaussians(seed: int) -> Iterator[float]:
    """Standard normal draws without end, those of Java's `Random(seed).nextGaussian()`.

    Kayenta runs on Java: with its generator a seed of its own gives its own numbers. A linear
    congruence of 48 bits and Marsaglia's polar method, by the documentation of `java.util.Random`.
    """
    uniforms = _uniforms(seed)
    while True:
        u, v = 2 * next(uniforms) - 1, 2 * next(uniforms) - 1
        square = u * u + v * v
        if 0 < square < 1:
            scale = math.sqrt(-2 * math.log(square) / square)
            yield u * scale
            yield v * scale


def _uniforms(seed: int) -> Iterator[float]:
    multiplier, mask = 0x5DEECE66D, (1 << 48) - 1
    state = (seed ^ multiplier) & mask
    while True:
        state = (state * multiplier + 0xB) & mask
        high = state >> 22
        state = (state * multiplier + 0xB) & mask
        yield ((high << 27) + (state >> 21)) / (1 << 53)
