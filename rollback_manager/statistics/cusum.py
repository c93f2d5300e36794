"""The restarting test for what begins late: good times do not outweigh the bad ones after them.

Page's CUSUM (1954) on the gains of `sequential`: per size, the evidence since the moment from which
it is greatest. It has many starts to be wrong from, so it needs more nats than a test that starts
once.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from rollback_manager.statistics.evidence import Amounts, Flags
from rollback_manager.statistics.sequential import SIZES

MOST_NATS = 10.5
"""Evidence is not piled up beyond it, so that an alarm ends soon after the trouble does."""
STANDING_NATS = 5.0
"""Evidence from which on a suspicion is one that stands, and its age is counted."""
FACE_NATS = (-5.0, 6.0)
"""What is remembered of the other face: a little beyond where it decides, for it may change."""


@dataclass(frozen=True)
class Seen:
    """What one interval adds to suspicions: see `Suspicion`, whose terms these are.

    gained: per size. counts: where it may be held against the release at all.
    """

    gained: Amounts
    hits: Amounts
    expected: Amounts
    tries: Amounts
    other_face: Amounts
    length_s: Amounts
    counts: Flags


@dataclass(frozen=True)
class Suspicion:
    """A row per size and a column per release, all since the suspicion arose.

    nats: evidence. hits, tries: of the new version; expected: the hits it would have had at the
    control's rate. age_s: for how long it has stood; time in which the control was in trouble too
    does not count. other_face: evidence that what the other test counts rose as well.
    """

    nats: Amounts
    age_s: Amounts
    other_face: Amounts
    hits: Amounts
    expected: Amounts
    tries: Amounts

    @classmethod
    def none(cls, releases: int) -> Self:
        """Nothing suspected."""
        nothing = np.zeros((len(SIZES), releases))
        return cls(nothing, nothing, nothing, nothing, nothing, nothing)

    def with_more(self, seen: Seen) -> Self:
        """With one more interval; a suspicion whose evidence is gone starts anew."""
        new = seen.counts * 1.0
        nats = np.clip(self.nats + seen.gained * new, 0, MOST_NATS)
        stays = (nats > 0) * 1.0
        face = np.clip(self.other_face + seen.other_face * new, *FACE_NATS)
        return type(self)(
            nats=nats,
            age_s=(self.age_s + seen.length_s * new) * (nats >= STANDING_NATS),
            other_face=face * stays,
            hits=(self.hits + seen.hits * new) * stays,
            expected=(self.expected + seen.expected * new) * stays,
            tries=(self.tries + seen.tries * new) * stays,
        )

    def effect(self) -> Amounts:
        """Hits beyond the expected ÷ tries; 0 where nothing is suspected."""
        return (self.hits - self.expected) / np.maximum(self.tries, 1)

    def surely(self, effect: float) -> Flags:
        """Whether the effect is at least so large, less three standard errors."""
        share = self.hits / np.maximum(self.tries, 1)
        error = np.sqrt(share * (1 - share) / np.maximum(self.tries, 1))
        return np.asarray(self.effect() - 3 * error >= effect)
