"""Growth of single counters from their raw samples, as a client library makes them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

SCRAPERS = frozenset({"job", "replica", "prometheus", "prometheus_replica"})
"""Labels that say who scraped, not what: a job's name, and the usual ones of paired Prometheus."""


class Sample(NamedTuple):
    """One value of a counter. at_s: seconds since 1970, by the clock of whoever scraped."""

    at_s: float
    value: float


class Series(NamedTuple):
    """One counter: its labels, `__name__` among them, and its samples, rising in time."""

    labels: Mapping[str, str]
    samples: tuple[Sample, ...]

    @property
    def name(self) -> str:
        """The metric."""
        return self.labels.get("__name__", "")

    @property
    def target(self) -> str:
        """The scrape that it comes from; all its series have their samples at the same times."""
        return f"{self.labels.get('job', '')} {self.labels.get('instance', '')}".strip()


class Scrapes(NamedTuple):
    """The scrapes of one target: `all` in the range, and the `times` of those after `begin_s`.

    lost: the last one that was used is out of the range, so that growth is missing before it.
    """

    begin_s: float
    times: tuple[float, ...]
    lost: bool
    all: Sequence[float]

    @property
    def until_s(self) -> float:
        """Until when its samples are used."""
        return max((self.begin_s, *self.times))

    @property
    def _used_s(self) -> float:
        """The sample from which the growth is counted."""
        return max((at for at in self.all if at <= self.begin_s), default=self.begin_s)

    @property
    def window_s(self) -> float:
        """How long the growth took; 0 where there is none yet."""
        return self.times[-1] - self._used_s if self.times else 0.0

    @property
    def gap_s(self) -> float:
        """The longest time between two neighbours."""
        pairs = pairwise((self._used_s, *self.times))
        return max((later - earlier for earlier, later in pairs), default=0.0)


def drops(counters: Iterable[Series]) -> frozenset[float]:
    """The times at which any of them is lower than before: all of them began again from zero.

    Asked for counters that live and die together, as the buckets of one histogram do: one bucket
    may have overtaken its old value by then, and would look as if hardly anything was fast.
    """
    return frozenset(
        later.at_s
        for one in counters
        for earlier, later in pairwise(_finite(one))
        if later.value < earlier.value
    )


def growth(counter: Series, begin_s: float, resets: Collection[float] = ()) -> int:
    """By how much it grew after `begin_s`; after a reset the new value is the growth.

    Its last sample up to then is where counting begins. One that has none, while its target had a
    scrape by then, did not exist: it began at zero, as the first error of a label does.
    """
    finite = _finite(counter)
    earlier = [sample for sample in finite if sample.at_s <= begin_s]
    later = [sample for sample in finite if sample.at_s > begin_s]
    if earlier:
        first = earlier[-1]
    elif counter.samples[0].at_s > begin_s:
        first = Sample(begin_s, 0.0)
    else:  # it existed, and was no number
        first, later = (later[0], later[1:]) if later else (Sample(begin_s, 0.0), later)
    steps = (
        now.value if now.at_s in resets or now.value < before.value else now.value - before.value
        for before, now in pairwise((first, *later))
    )
    return round(sum(steps))


def is_count(counter: Series) -> bool:
    """Whether its values can be counts of anything: whole, not negative (NaN is not judged)."""
    return all(one.value >= 0 and one.value.is_integer() for one in _finite(counter))


def ends_as_a_number(counter: Series) -> bool:
    """Whether its newest sample is neither NaN nor infinite."""
    return math.isfinite(counter.samples[-1].value)


def twice(counters: Iterable[Series]) -> tuple[Series, Series] | None:
    """Two that count the same thing: equal labels, but for who scraped, and at the same time.

    One that ends before the other begins is a job that was renamed, and no harm.
    """
    seen: dict[frozenset[tuple[str, str]], Series] = {}
    for one in sorted(counters, key=lambda one: one.samples[0].at_s):
        what = frozenset(pair for pair in one.labels.items() if pair[0] not in SCRAPERS)
        other = seen.get(what)
        if other and (one.samples[0].at_s <= other.samples[-1].at_s or one.labels == other.labels):
            return other, one
        seen[what] = one
    return None


def histograms(counters: Iterable[Series], name: str, unit: float) -> list[dict[float, Series]]:
    """Upper edge × unit → counter, for each set of buckets that differ in nothing but the edge."""
    found: dict[frozenset[tuple[str, str]], dict[float, Series]] = defaultdict(dict)
    for one in counters:
        edge = _edge(one.labels.get("le", ""))
        if one.name == name and edge is not None:
            rest = frozenset(pair for pair in one.labels.items() if pair[0] != "le")
            found[rest][round(edge * unit, 6)] = one
    return list(found.values())


def _finite(counter: Series) -> list[Sample]:
    return [sample for sample in counter.samples if math.isfinite(sample.value)]


def _edge(text: str) -> float | None:
    try:
        edge = float(text)  # "+Inf", too
    except ValueError:
        return None
    return None if math.isnan(edge) else edge
