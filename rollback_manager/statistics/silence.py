"""The new version says nothing while the old one is busy: neither a pass nor alone a rollback.

In 17 of 51 bad changes of the ChangeRCA set the new instances gave no metric at all, in 4 of 166
good ones too: a reason to hold and to ask the instances, not more.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from rollback_manager.statistics.evidence import Amounts, Answer, Finding, Interval, cannot_tell

SILENCE_NATS = 14.0
"""Expected requests that did not come: none among so many is chance once in a million looks."""


@dataclass(frozen=True)
class Silence:
    """expected: requests that the new version should have had since its last one.

    share: of the traffic that is sent to it, above 0 and below 1.
    """

    share: Amounts
    expected: Amounts
    requests: Amounts

    @classmethod
    def fresh(cls, share: float, releases: int = 1) -> Self:
        """Nothing seen."""
        none = np.zeros(releases)
        return cls(none + share, none, none)

    def with_more(self, interval: Interval) -> Self:
        """With one more interval; before the start nothing is expected.

        For Poisson arrivals the chance of none among m expected is e^-m: m is the evidence.
        """
        due = interval.control.requests * self.share / (1 - self.share) * (interval.at_s > 0)
        expected = np.where(interval.new.requests > 0, 0.0, self.expected + due)
        return type(self)(self.share, expected, self.requests + interval.new.requests)

    def finding(self, release: int = 0) -> Finding:
        """Silent: cannot tell. Heard: fine, as far as that goes."""
        expected = float(self.expected[release])
        silent = expected >= SILENCE_NATS
        because = f"{expected:.0f} requests expected since the last one"
        heard = self.requests[release] > 0 and not silent
        finding = cannot_tell("silence", "the old version's traffic", because, SILENCE_NATS)
        return finding.model_copy(
            update={
                "answer": Answer.FINE_SO_FAR if heard else Answer.CANNOT_TELL,
                "evidence_nats": expected,
                "requests": round(float(self.requests[release])),
            }
        )
