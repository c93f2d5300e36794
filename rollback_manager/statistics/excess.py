"""Is the new version worse than the old one beside it? The test of one counter: errors, slowness.

Both its parts look at the same gains: the mixture, quickest for what is bad from the start, and the
restarting CUSUM, for what begins late.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from rollback_manager.statistics.common_mode import common_mode
from rollback_manager.statistics.comparator import Control, Margin
from rollback_manager.statistics.cusum import Seen, Suspicion
from rollback_manager.statistics.envelope import Forgiven
from rollback_manager.statistics.evidence import Amounts, Flags
from rollback_manager.statistics.passing_trouble import SETTLED_S, Face, cannot_be_passing
from rollback_manager.statistics.sequential import FORGIVING_S, SIZES, Mixture, gains

CONFIRM_S = 13.0
"""A late suspicion must stand for so long: noise of one version drifts, and swings back. As long as
the quickest goal for a late onset, 14 s, has room for."""
LEAST_SIZE = 0.05
"""Of a late regression. The sums of smaller sizes rise and fall too slowly to tell when it began;
they serve to say how fine a version is."""
_LARGE = np.array(SIZES)[:, None] >= LEAST_SIZE


class Counts(NamedTuple):
    """What one counter showed in one interval, of the new version and of the control."""

    hits: Amounts
    tries: Amounts
    control_hits: Amounts
    control_tries: Amounts


@dataclass(frozen=True)
class Knobs:
    """What is set in advance for one counter, fixed on calibration seeds of world S.

    margin: what is not yet worse. guard: beyond which the control itself is in trouble. spread: of
    the warm-up envelope (`envelope.learn`). weights: of the mixture, per size. early_nats,
    late_nats: evidence at which the mixture and the CUSUM speak. least_hits: fewer never condemn.
    relevant: excess since it began that a late regression must have. outage: excess that no passing
    trouble reaches, which is not waited out; None where there is no such size.
    """

    test: str
    words: str
    margin: Margin
    guard: Margin
    face: Face
    spread: float
    weights: tuple[float, ...]
    early_nats: float
    late_nats: float
    least_hits: float
    relevant: float
    outage: float | None


@dataclass(frozen=True)
class Excess:
    """State of the test. hits, tries: of the new version since its start, judged or not."""

    knobs: Knobs
    envelope: Forgiven
    control: Control
    mixture: Mixture
    suspicion: Suspicion
    at_s: Amounts
    common: Flags
    hits: Amounts
    tries: Amounts

    @classmethod
    def fresh(cls, knobs: Knobs, envelope: Forgiven, usual: float, releases: int = 1) -> Self:
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

    def with_control(self, counts: Counts, length_s: Amounts) -> Self:
        """With the control's side of an interval, which comes first: it says what is normal now."""
        control = self.control.with_more(counts.control_hits, counts.control_tries, length_s)
        return replace(self, control=control, common=common_mode(control, self.knobs.guard))

    def face(self, counts: Counts, at_s: Amounts) -> Amounts:
        """How much the interval speaks for "this rose", for the other counter's test to know."""
        usual = self.control.rate + self.envelope(at_s)
        return self.knobs.face.gain(counts.hits, counts.tries, usual)

    def with_new(self, counts: Counts, at_s: Amounts, seen: Seen) -> Self:
        """With the new version's side; `seen` as `seen()` made it."""
        return replace(
            self,
            mixture=self.mixture.with_more(seen.gained * seen.counts, at_s <= FORGIVING_S),
            suspicion=self.suspicion.with_more(seen),
            at_s=at_s,
            hits=self.hits + counts.hits,
            tries=self.tries + counts.tries,
        )

    def seen(
        self, counts: Counts, at_s: Amounts, length_s: Amounts, other_face: Amounts, held: Flags
    ) -> Seen:
        """What the interval says. `held`: where it may not be held against the release.

        The envelope is taken at the interval's begin, where it forgives most.
        """
        rate = self.control.rate
        bound = self.knobs.margin.above(rate) + self.envelope(at_s - length_s)
        return Seen(
            gained=gains(counts.hits, counts.tries, bound),
            hits=counts.hits,
            expected=counts.tries * rate,
            tries=counts.tries,
            other_face=other_face,
            length_s=length_s,
            counts=~held & (at_s > 0),
        )

    # What many answers rest on is worked out once per interval, for all releases.
    @cached_property
    def early_nats(self) -> Amounts:
        """Evidence of a regression since the start; none before there are enough hits."""
        nats = self.mixture.nats(np.array(self.knobs.weights))
        return np.where(self.hits >= self.knobs.least_hits, nats, np.minimum(nats, 0))

    @cached_property
    def late_nats(self) -> Amounts:
        """Evidence of a regression that began at some time, of those that stand."""
        return np.asarray((self.suspicion.nats * self._standing).max(axis=0))

    @cached_property
    def regressed(self) -> Flags:
        """Whether either part says so; once settled, the early one on a standing suspicion only."""
        early = self.early_nats >= self.knobs.early_nats
        early &= (self.at_s <= SETTLED_S) | self._standing.any(axis=0)
        return np.asarray(early | (self.late_nats >= self.knobs.late_nats))

    @cached_property
    def fine_up_to(self) -> Amounts:
        """A regression of that size would have been seen; NaN where that cannot be said."""
        return self.mixture.fine_up_to()

    @cached_property
    def suspected(self) -> Amounts:
        """Evidence of late regressions that are neither ruled out nor shown, a row per size."""
        return np.asarray(self.suspicion.nats * (self.suspicion.age_s > 0) * _LARGE)

    @cached_property
    def rising(self) -> Amounts:
        """The late evidence ÷ its threshold before it is asked whether it stands."""
        return np.asarray((self.suspicion.nats * _LARGE).max(axis=0) / self.knobs.late_nats)

    @cached_property
    def _standing(self) -> Flags:
        suspicion = self.suspicion
        relevant = suspicion.effect() >= self.knobs.relevant
        lasting = (suspicion.age_s >= CONFIRM_S) & (suspicion.hits >= self.knobs.least_hits)
        return cannot_be_passing(suspicion, self.knobs.outage) & relevant & lasting & _LARGE
