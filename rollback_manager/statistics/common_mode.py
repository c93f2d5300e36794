"""The old version got worse too: then the release is not to blame, and nothing is rolled back."""

import numpy as np

from rollback_manager.statistics.comparator import Control, Margin, Memory
from rollback_manager.statistics.evidence import Amounts, Flags

COMMON_MODE_NATS = 2.0
"""Evidence for "the control is worse than it may be" from which on the release is not blamed. Low
on purpose: a false hold costs seconds, a missed one costs a good release. In world S it holds in
1.1 % of seconds, and in 0.8 % with twice the evidence, which blames twice as many good releases."""


def common_mode(control: Control, margin: Margin) -> Flags:
    """Whether the control itself has more hits than its own usual rate allows.

    Poisson log-likelihood ratio of what was seen against what is allowed, of the last instant or
    the last seconds. As the long memory learns the new rate, the guard lets go by itself.
    """
    bound = margin.above(control.usual)
    nats = np.maximum(_excess_nats(control.instant, bound), _excess_nats(control.short, bound))
    return np.asarray(nats >= COMMON_MODE_NATS)


def _excess_nats(memory: Memory, bound: Amounts) -> Amounts:
    """k ln(k / m) - (k - m) for k hits where at most m are due; 0 where k is no more than m."""
    due = np.maximum(memory.tries * bound, 1e-9)
    seen = np.maximum(memory.hits, due)
    return np.asarray(seen * np.log(seen / due) - (seen - due))
