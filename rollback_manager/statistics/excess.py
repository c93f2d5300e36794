"""Is the new version worse than the old one beside it? The test of one counter, errors or slowness.

Both its parts look at the same gains: the mixture, quickest for what is bad from the start, and the
restarting CUSUM, for what begins late.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from rollback_manager.statistics.common_mode import common_mode
from rollback_manager.statistics.comparator import Control, Margin
from rollback_manager.statistics.cusum import Seen, Suspicion
from rollback_manager.statistics.envelope import Envelope
from rollback_manager.statistics.evidence import Amounts, Flags
from rollback_manager.statistics.passing_trouble import SETTLED_S, Face, cannot_be_passing
from rollback_manager.statistics.sequential import Mixture, gains


class Counts(NamedTuple):
    """What one counter showed in one interval, of the new version and of the control."""

    hits: Amounts
    tries: Amounts
    control_hits: Amounts
    control_tries: Amounts


@dataclass(frozen=True)
class Knobs:
    """What is set in advance for one counter. Fixed on calibration seeds of world S.

    weights: of the mixture, per size. early_nats, late_nats: evidence at which the mixture and the
    CUSUM speak. least_hits: fewer never condemn a release. outage: excess that no passing trouble
    reaches, which is therefore not waited out; None where there is no such size.
    """

    margin: Margin
    face: Face
    weights: tuple[float, ...]
    early_nats: float
    late_nats: float
    least_hits: float
    relevant: float
    outage: float | None
    guard: Margin


@dataclass(frozen=True)
class Excess:
    """State of the test. hits, tries: of the new version since its start."""

    knobs: Knobs
    envelope: Envelope
    control: Control
    mixture: Mixture
    suspicion: Suspicion
    at_s: Amounts
    common: Flags
    hits: Amounts
    tries: Amounts

    @classmethod
    def fresh(cls, knobs: Knobs, envelope: Envelope, usual: float, releases: int = 1) -> Self:
        """Nothing seen; `usual`: the rate of the records, before any release."""
        none = np.zeros(releases)
        return cls(
            knobs=knobs,
            envelope=envelope,
            control=Control.unseen(releases, usual),
            mixture=Mixture.fresh(releases),
            suspicion=Suspicion.none(releases),
            at_s=none,
            common=none > 0,
            hits=none,
            tries=none,
        )

    def learn(self, counts: Counts, length_s: Amounts) -> Self:
        """With one more interval of the control, which is judged by what came before and by it."""
        control = self.control.with_more(counts.control_hits, counts.control_tries, length_s)
        return replace(self, control=control, common=common_mode(control, self.knobs.guard))

    def face(self, counts: Counts, at_s: Amounts) -> Amounts:
        """How much the interval speaks for "this counter rose", for the other test to know."""
        usual = self.control.rate + self.envelope(at_s)
        return self.knobs.face.gain(counts.hits, counts.tries, usual)

    def judge(self, counts: Counts, at_s: Amounts, length_s: Amounts, face: Amounts, counts_now: Flags) -> Self:
        rate = self.control.rate
        bound = self.knobs.margin.above(rate) + self.envelope(at_s - length_s)
        gained = gains(counts.hits, counts.tries, bound)
        seen = Seen(gained, counts.hits, counts.tries * rate, counts.tries, face, length_s, counts_now)
        return replace(
            self,
            mixture=self.mixture.with_more(gained * counts_now),
            suspicion=self.suspicion.with_more(seen),
            at_s=at_s,
            hits=self.hits + counts.hits,
            tries=self.tries + counts.tries,
        )

    def early_nats(self) -> Amounts:
        return self.mixture.nats(np.array(self.knobs.weights))

    def regressed(self) -> Flags:
        clear = cannot_be_passing(self.suspicion, self.knobs.outage)
        relevant = self.suspicion.effect() >= self.knobs.relevant
        early = (self.early_nats() >= self.knobs.early_nats) & (self.hits >= self.knobs.least_hits)
        early &= (self.at_s <= SETTLED_S) | (clear&relevant).any(axis=0)
        late = ((self.suspicion.nats >= self.knobs.late_nats) & clear & relevant).any(axis=0)
        return early | late
