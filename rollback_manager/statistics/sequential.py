"""The mixture test against the control: valid at every moment, quickest right after the start.

For each size of regression the evidence is the log-likelihood ratio of "that much worse than
allowed" to "just what is allowed", summed over all requests. The weighted mean of the ratios is an
e-process (Robbins 1970; Ramdas et al. 2023): while the new version is within what is allowed, the
chance that it ever exceeds e^x is at most e^-x, however often one looks.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from rollback_manager.statistics.evidence import Amounts, Flags

SIZES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Regressions that are looked for: this share of the requests that should be well is not."""
SHOWN_NATS = 6.9
"""ln 1000: a size with that much evidence against it is ruled out."""
MOST_CREDIT_NATS = 1.0
FORGIVING_S = 30.0
"""Credit of a release that still warms up, and for how long after its start. The test restarts as
long, at an evidence that would be too small for a test that always restarts."""
MOST_ALLOWED = 0.9
"""A bound above it leaves no room to be worse. It also keeps the logarithms finite."""
_SIZES = np.array(SIZES)[:, None]
_MISSED = np.log1p(-_SIZES)


def gains(hits: Amounts, tries: Amounts, bound: Amounts) -> Amounts:
    """Log-likelihood ratios of one interval: a row per size, a column per release.

    Binomial, of `bound` + size × (1 - `bound`) to `bound`; a miss is thereby less likely by the
    factor 1 - size, whatever the bound.
    """
    bound = np.clip(bound, 1e-6, MOST_ALLOWED)
    hit = np.log1p(_SIZES * (1 - bound) / bound)
    return np.asarray(hits * hit + (tries - hits) * _MISSED)


@dataclass(frozen=True)
class Mixture:
    """Evidence since the start, a row per size and a column per release."""

    sums: Amounts

    @classmethod
    def fresh(cls, releases: int) -> Self:
        """Nothing seen."""
        return cls(np.zeros((len(SIZES), releases)))

    def with_more(self, gained: Amounts, forgiving: Flags) -> Self:
        """With the gains of one more interval. `forgiving`: while a warm-up is forgiven.

        What is then within the bound earns hardly any credit: the bound is far above what most good
        releases do, so that a bad one stays below it for a while, and would have to make up for it.
        """
        least = np.where(forgiving, -MOST_CREDIT_NATS, -np.inf)
        return type(self)(np.maximum(self.sums + gained, least))

    def nats(self, weights: Amounts) -> Amounts:
        """Evidence of a regression of any size; `weights`, summing to 1, one per size."""
        top = self.sums.max(axis=0)
        return np.asarray(top + np.log(weights @ np.exp(self.sums - top)))

    def fine_up_to(self) -> Amounts:
        """Smallest size that is ruled out along with every larger one; NaN where none is.

        The same sums read the other way round: "not worse than allowed" against "at least that much
        worse", an e-process too.
        """
        ruled_out = np.logical_and.accumulate((self.sums <= -SHOWN_NATS)[::-1])[::-1]
        smallest = np.where(ruled_out, _SIZES, np.inf).min(axis=0)
        return np.where(np.isfinite(smallest), smallest, np.nan)
