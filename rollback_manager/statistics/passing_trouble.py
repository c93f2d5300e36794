"""Trouble of a dependency has two faces and passes; a fault of a release has mostly one and stays.

When a dependency stumbles, requests fail *and* are slow, for a minute or so. If only the new
version notices (its own pool, its own zone), the control does not tell, but the second face does: a
fault in the code mostly makes requests fail at once, or makes them slow and right. So a late alarm
with one face counts at once, one with both when it has outlasted what passes. Right after the start
there is no such wait: what is bad from the first second is the release's doing.
"""

from dataclasses import dataclass

import numpy as np

from rollback_manager.statistics.cusum import Suspicion
from rollback_manager.statistics.evidence import Amounts, Flags

PATIENCE_S = 100.0
"""Longer than a passing trouble lasts (20–90 s in world S), shorter than the two minutes in which
the seed wants a critical error rate answered."""
ONE_FACE_NATS = -4.0
"""Evidence that the other face did not rise. If it did rise, as much is reached in at most e^-4,
under 2 % of cases."""
SETTLED_S = 90.0
"""Seconds since start from which on trouble may be somebody else's."""


@dataclass(frozen=True)
class Face:
    """What "rose as well" means for a counter: from the rate r to `ratio` × r + `least`."""

    ratio: float
    least: float

    def gain(self, hits: Amounts, tries: Amounts, usual: Amounts) -> Amounts:
        """Log-likelihood ratio of "rose" to "as usual" in one interval (binomial)."""
        usual = np.clip(usual, 1e-4, 0.6)
        raised = np.minimum(self.ratio * usual + self.least, 0.9)
        missed = np.log((1 - raised) / (1 - usual))
        return np.asarray(hits * np.log(raised / usual) + (tries - hits) * missed)


def cannot_be_passing(suspicion: Suspicion, outage: float | None) -> Flags:
    """Per size and release: it has one face, has outlasted what passes, or is larger than that."""
    clear = (suspicion.age_s >= PATIENCE_S) | (suspicion.other_face <= ONE_FACE_NATS)
    if outage is not None:
        clear |= suspicion.surely(outage)
    return np.asarray(clear & (suspicion.nats > 0))
