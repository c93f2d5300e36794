"""Logistic regression by Newton's method (iteratively reweighted least squares), without numpy.

A dozen features and some hundred labels take milliseconds; the base install has no numpy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

RIDGE = 1.0
"""L2 penalty on each standardised weight: without one, labels that a feature separates perfectly
drive its weight to infinity (Hastie et al., 2009, §4.4)."""
STEPS, CLOSE = 50, 1e-9
SMALLEST_PART = 1e-6
"""Of a step: below it the gain drowns in rounding."""


@dataclass(frozen=True)
class Fit:
    """Weights of the standardised features: (value − mean) ÷ scale."""

    intercept: float
    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]


def fit(rows: Sequence[Sequence[float]], answers: Sequence[bool]) -> Fit:
    """The weights that make the answers most likely, less the penalty.

    The objective is strictly concave in the weights, so Newton's steps, halved while they do not
    improve it, end at its one maximum. Both answers must occur.
    """
    columns = list(zip(*rows, strict=True))
    means = tuple(math.fsum(column) / len(column) for column in columns)
    scales = tuple(_scale(column, mean) for column, mean in zip(columns, means, strict=True))
    table = [[1.0, *_standard(row, means, scales)] for row in rows]
    at = [0.0] * (len(columns) + 1)
    for _ in range(STEPS):
        step = _newton_step(table, answers, at)
        at = _improved(table, answers, at, step)
        if max(map(abs, step)) < CLOSE:
            break
    return Fit(intercept=at[0], weights=tuple(at[1:]), means=means, scales=scales)


def chance(fit: Fit, row: Sequence[float]) -> float:
    """How likely the answer is yes."""
    values = _standard(row, fit.means, fit.scales)
    return _logistic(fit.intercept + _dot(fit.weights, values))


def _scale(column: Sequence[float], mean: float) -> float:
    """Standard deviation; 1 for a constant column, which then weighs nothing."""
    variance = math.fsum((value - mean) ** 2 for value in column) / len(column)
    return math.sqrt(variance) or 1.0


def _standard(row: Sequence[float], means: Sequence[float], scales: Sequence[float]) -> list[float]:
    return [(v - mean) / scale for v, mean, scale in zip(row, means, scales, strict=True)]


def _logistic(x: float) -> float:
    """1 ÷ (1 + e⁻ˣ), without overflow on either side."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1 + grown)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(left, right, strict=True))


def _gain(table: list[list[float]], answers: Sequence[bool], at: list[float]) -> float:
    """Log-likelihood less the penalty."""
    scores = [_dot(row, at) for row in table]
    signed = (score if yes else -score for score, yes in zip(scores, answers, strict=True))
    likely = math.fsum(-_softplus(-value) for value in signed)
    return likely - RIDGE / 2 * math.fsum(weight**2 for weight in at[1:])


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _newton_step(table: list[list[float]], answers: Sequence[bool], at: list[float]) -> list[float]:
    """The solution of Hessian × step = gradient."""
    size = len(at)
    odds = [_logistic(_dot(row, at)) for row in table]
    off = [float(yes) - p for yes, p in zip(answers, odds, strict=True)]
    weight = [p * (1 - p) for p in odds]
    gradient = [_dot(off, [row[j] for row in table]) for j in range(size)]
    hessian = [
        [math.fsum(w * row[j] * row[k] for w, row in zip(weight, table, strict=True))
         for k in range(size)]
        for j in range(size)
    ]  # fmt: skip
    for j in range(1, size):  # the intercept is not penalised
        gradient[j] -= RIDGE * at[j]
        hessian[j][j] += RIDGE
    return _solved(hessian, gradient)


def _improved(
    table: list[list[float]], answers: Sequence[bool], at: list[float], step: list[float]
) -> list[float]:
    before, part = _gain(table, answers, at), 1.0
    while part > SMALLEST_PART:
        there = [value + part * move for value, move in zip(at, step, strict=True)]
        if _gain(table, answers, there) >= before:
            return there
        part /= 2
    return at


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss's elimination with the largest pivot."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for j in range(size):
        pivot = max(range(j, size), key=lambda place: abs(rows[place][j]))
        rows[j], rows[pivot] = rows[pivot], rows[j]
        for below in range(j + 1, size):
            ratio = rows[below][j] / rows[j][j]
            rows[below] = [b - ratio * a for a, b in zip(rows[j], rows[below], strict=True)]
    solution = [0.0] * size
    for j in reversed(range(size)):
        known = _dot(rows[j][j + 1 : size], solution[j + 1 :])
        solution[j] = (rows[j][size] - known) / rows[j][j]
    return solution
