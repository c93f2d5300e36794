"""The old version beside the new one: how often its requests fail, or are slow, right now."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from rollback_manager.statistics.evidence import Amounts

INSTANT_S, SHORT_S, MINUTE_S, LONG_S = 2.0, 10.0, 60.0, 300.0
"""Memories in seconds. Trouble of a dependency starts from one second to the next: where traffic is
dense the last instant shows it, where it is thin the last seconds. The last minute carries through
an outage that the usual rate has half learnt, when few requests make the last seconds say little.
What is usual must outlast trouble that passes (20–90 s in world S) several times."""
PSEUDO_REQUESTS = 300.0
"""Requests at the usual rate that steady the short memories: one error among 20 requests is no news
of 5 %."""


@dataclass(frozen=True)
class Memory:
    """Hits and tries, forgotten exponentially. A hit is what the test counts."""

    hits: Amounts
    tries: Amounts

    def with_more(self, hits: Amounts, tries: Amounts, kept: Amounts) -> Self:
        """After an interval over which the share `kept` of the old is remembered."""
        return type(self)(self.hits * kept + hits, self.tries * kept + tries)

    def steadied(self, usual: Amounts) -> Amounts:
        """Hits ÷ tries, drawn towards `usual` where there were few tries."""
        return (self.hits + PSEUDO_REQUESTS * usual) / (self.tries + PSEUDO_REQUESTS)


@dataclass(frozen=True)
class Control:
    """The old version in four memories."""

    instant: Memory
    short: Memory
    minute: Memory
    long: Memory

    @classmethod
    def unseen(cls, releases: int, usual: float) -> Self:
        """Before the first interval: `usual` is the rate of the records."""
        none = Memory(np.zeros(releases), np.zeros(releases))
        weight = np.full(releases, PSEUDO_REQUESTS)
        return cls(none, none, none, Memory(usual * weight, weight))

    def with_more(self, hits: Amounts, tries: Amounts, length_s: Amounts) -> Self:
        """With one more interval."""
        memories = (
            (self.instant, INSTANT_S),
            (self.short, SHORT_S),
            (self.minute, MINUTE_S),
            (self.long, LONG_S),
        )
        return type(self)(
            *(one.with_more(hits, tries, np.exp(-length_s / lasts)) for one, lasts in memories)
        )

    @property
    def usual(self) -> Amounts:
        """Hits ÷ tries over the last minutes."""
        return self.long.hits / self.long.tries

    @property
    def rate(self) -> Amounts:
        """Hits ÷ tries now: of the last instant, seconds or minute, whichever is highest."""
        usual = self.usual
        now = np.maximum(self.instant.steadied(usual), self.short.steadied(usual))
        return np.maximum(now, self.minute.steadied(usual))


@dataclass(frozen=True)
class Margin:
    """How much worse than its comparator a version may be: `ratio` times, at least `least` more.

    Twice nothing is no margin, hence the second.
    """

    ratio: float
    least: float

    def above(self, rate: Amounts) -> Amounts:
        """The highest rate that is allowed beside `rate`."""
        return np.maximum(self.ratio * rate, rate + self.least)
