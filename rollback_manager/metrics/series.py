"""Raw samples of counters → how much each version grew since the last sample that was used.

No sample counts twice and none is lost: per version and scrape target it is kept until when samples
were used, and the growth begins there. So a look may be made again, or the samples be cut into
looks anywhere, and the sum stays what the counters say. No data is never zero.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field

from rollback_manager.metrics import increments, labels, moments
from rollback_manager.metrics.increments import Scrapes, Series
from rollback_manager.metrics.reading import NoReading, Slow
from rollback_manager.metrics.sources import PrometheusSource
from rollback_manager.values import Count, Ratio, Seconds, Value

AHEAD_S = 2.0
"""Samples so far in the future are what clocks kept by NTP may differ; beyond it one is wrong."""
EDGE_MS = {"s": 1000.0, "ms": 1.0}
FORGOTTEN_S = 3600.0
"""A target that was away for so long is a new one: its address may be anybody's by now."""


class Used(Value):
    """Until when samples were used: version → scrape target → seconds since 1970.

    Small enough for a heartbeat. since: nothing before it is counted, such as the release.
    """

    until: dict[str, dict[str, float]] = Field(default_factory=dict)
    since: datetime | None = None


class Increase(Value):
    """What one version answered since the last sample that was used."""

    kind: Literal["increase"] = "increase"
    version: str
    requests: Count
    errors: Count
    latency_ms: tuple[tuple[float, Count], ...] = ()
    """(upper edge in ms, requests at or below it), rising; empty: latency is not known."""
    timed: Count = 0
    """Requests that the histogram counted in all, those above its last edge, too."""
    window_s: Seconds
    """Of the target that was looked at for longest."""
    age_s: Seconds
    """Of its newest sample."""
    samples: Count
    """Scrapes that were used."""
    notes: tuple[str, ...] = ()
    """What a person should know of these counts, such as a reset or a gap."""

    @property
    def error_ratio(self) -> Ratio | None:
        """Errors ÷ requests; None where nothing was asked."""
        return self.errors / self.requests if self.requests else None

    def slower_than(self, limit_ms: float) -> Slow | None:
        """Requests slower than `limit_ms`, counted from the next edge at or above it.

        None when nothing was timed, or no edge is as high as the limit.
        """
        within = next((count for edge, count in self.latency_ms if edge >= limit_ms), None)
        if within is None or not self.timed:
            return None
        return Slow(slower=max(0, self.timed - within), timed=self.timed)


class NothingNew(NoReading):
    """No trouble: the next scrape has simply not come yet."""


class Look(NamedTuple):
    """A reading or a reason for each version that was asked for, and what to ask with next."""

    found: dict[str, Increase | NoReading]
    used: Used


def look(
    series: Sequence[Series],
    source: PrometheusSource,
    versions: Iterable[str],
    used: Used,
    at: datetime,
    as_of_s: float | None = None,
) -> Look:
    """What the counters of one service say of `versions` at the moment `at`.

    series: all of the service's in the range before `at`, whatever version they are of. Where there
    is a reason instead of a reading nothing is used up: the next look counts it. as_of_s: the
    second since 1970 at which the counters are read (`moments`); None: each at its last sample.
    """
    found: dict[str, Increase | NoReading] = {}
    until = dict(used.until)  # also of versions that are not asked for now, and may be again
    for version in versions:
        kept = _remembered(used.until.get(version, {}), at)
        mine = [one for one in series if one.labels.get(source.version_label) == version]
        because = labels.absent(version, series, source) or labels.errors_unknown(
            mine, series, source
        )
        if because:
            found[version], until[version] = NoReading(version=version, because=because), kept
        else:
            arm = _Arm(version, mine, source, kept, used.since, at.timestamp())
            found[version], until[version] = arm.reading(as_of_s)
    return Look(found, Used(until=until, since=used.since))


def _remembered(until: Mapping[str, float], at: datetime) -> dict[str, float]:
    forgotten_s = at.timestamp() - FORGOTTEN_S
    return {target: at_s for target, at_s in until.items() if at_s > forgotten_s}


class _Arm(NamedTuple):
    """All series of one version."""

    version: str
    series: Sequence[Series]
    source: PrometheusSource
    used: Mapping[str, float]
    since: datetime | None
    at_s: float

    def reading(self, as_of_s: float | None) -> tuple[Increase | NoReading, dict[str, float]]:
        """With it, until when samples are used by now; whether any can be is judged by all."""
        kept = dict(self.used)
        if because := self._unusable():
            return NoReading(version=self.version, because=because), kept
        if as_of_s is None:
            return self._used_up(kept)
        interval_s = self.source.scrape_interval_s
        arm = self._replace(series=moments.as_of(self.series, as_of_s, kept, interval_s))
        if not arm.series:
            return NothingNew(version=self.version, because="its samples are too new"), kept
        return arm._used_up(kept, parts=len(arm.series))

    def _used_up(
        self, kept: dict[str, float], parts: int = 0
    ) -> tuple[Increase | NoReading, dict[str, float]]:
        """parts: of a request that are rounded; so much more errors than requests are none."""
        scrapes = self._scrapes()
        until = kept | {target: one.until_s for target, one in scrapes.items()}
        if not any(one.times for one in scrapes.values()):
            return self._nothing_new(scrapes), until
        increase = self._increase(scrapes)
        if increase.errors > increase.requests + parts:
            because = f"more errors ({increase.errors}) than requests ({increase.requests})"
            return NoReading(version=self.version, because=f"{because}: a wrong metric?"), kept
        return increase, until

    def _unusable(self) -> str | None:
        fresh = [one for one in self.series if self._age_s(one) <= self.source.silence_s]
        newest_s = min(self._age_s(one) for one in self.series)
        if newest_s < -AHEAD_S:
            return f"clock skew: its newest sample is from {-newest_s:.0f} s in the future"
        if not fresh:
            limit_s = self.source.silence_s
            return f"stale: its newest sample is {newest_s:.0f} s old, over {limit_s:g} s"
        if pair := increments.twice(self.series):
            return f"duplicate series: {_pair(*pair)}; each request would count twice"
        if odd := next((one for one in fresh if not increments.ends_as_a_number(one)), None):
            return f"not a number: {odd.name} is {odd.samples[-1].value}"
        if odd := next((one for one in self.series if not increments.is_count(one)), None):
            return f"not a count: {odd.name} has values below zero or between whole numbers"
        return None

    def _age_s(self, one: Series) -> float:
        return self.at_s - one.samples[-1].at_s

    def _scrapes(self) -> dict[str, Scrapes]:
        """By target; all of its series have their samples at the same times, or have none then."""
        times: dict[str, set[float]] = defaultdict(set)
        for one in self.series:
            times[one.target].update(sample.at_s for sample in one.samples)
        return {target: self._since_used(target, sorted(at)) for target, at in times.items()}

    def _since_used(self, target: str, times: list[float]) -> Scrapes:
        """A target that is new, or was away for longer than the range, begins half an interval
        after its first sample: all of its series have been there by then."""
        begin_s = self.used.get(target)
        lost = begin_s is not None and begin_s < times[0]
        if begin_s is None or lost:
            first_s = times[0] + self.source.scrape_interval_s / 2
            begin_s = max(first_s, self.since.timestamp() if self.since else first_s)
        return Scrapes(begin_s, tuple(at for at in times if at > begin_s), lost, times)

    def _nothing_new(self, scrapes: Mapping[str, Scrapes]) -> NoReading:
        newest_s = min(self._age_s(one) for one in self.series)
        if any(one.lost for one in scrapes.values()):
            reach = f"over {self.source.range_s:.0f} s"
            because = f"scrape gap: the last sample used is {reach} old, counting begins again"
            return NoReading(version=self.version, because=because)
        if not self.used.keys() & scrapes.keys():
            because = "first sample: growth is known from the next scrape on"
        else:
            because = f"nothing new: its last sample, {newest_s:.0f} s old, is used already"
        return NothingNew(version=self.version, because=because)

    def _increase(self, scrapes: Mapping[str, Scrapes]) -> Increase:
        requests = [one for one in self.series if one.name == self.source.requests]
        edges, timed, told = self._latency(scrapes)
        return Increase(
            version=self.version,
            requests=self._grown(requests, scrapes),
            errors=self._grown(labels.errors(self.series, self.source), scrapes),
            latency_ms=edges,
            timed=timed,
            window_s=max(one.window_s for one in scrapes.values()),
            age_s=max(0.0, min(self._age_s(one) for one in self.series)),
            samples=sum(len(one.times) for one in scrapes.values()),
            notes=(*self._notes(scrapes), *told),
        )

    def _grown(self, counters: Iterable[Series], scrapes: Mapping[str, Scrapes]) -> int:
        return sum(increments.growth(one, scrapes[one.target].begin_s) for one in counters)

    def _latency(
        self, scrapes: Mapping[str, Scrapes]
    ) -> tuple[tuple[tuple[float, int], ...], int, tuple[str, ...]]:
        """Buckets that all histograms of the version have, their total, and what was wrong."""
        if (latency := self.source.latency) is None:
            return (), 0, ()
        edge_ms = EDGE_MS[self.source.latency_unit]
        histograms = increments.histograms(self.series, f"{latency}_bucket", edge_ms)
        common = set.intersection(*(set(one) for one in histograms)) if histograms else set()
        if math.inf not in common:
            return (), 0, (f"latency is not known: no buckets of {latency}",)
        total: dict[float, int] = defaultdict(int)
        for histogram in histograms:
            resets = increments.drops(histogram.values())
            for edge in common:
                begin_s = scrapes[histogram[edge].target].begin_s
                total[edge] += increments.growth(histogram[edge], begin_s, resets)
        timed = total.pop(math.inf)
        return tuple(sorted(total.items())), timed, ()

    def _notes(self, scrapes: Mapping[str, Scrapes]) -> Iterable[str]:
        targets, limit_s = len(scrapes), self.source.silence_s
        again = {
            one.target
            for one in self.series
            if any(at > scrapes[one.target].begin_s for at in increments.drops([one]))
        }
        if again:
            yield f"reset: counters of {len(again)} of {targets} instances began again from zero"
        if (gap_s := max(one.gap_s for one in scrapes.values())) > limit_s:
            yield f"scrape gap: {gap_s:.0f} s without a sample are counted at their end"
        if lost := sum(one.lost for one in scrapes.values()):
            yield f"scrape gap: counting of {lost} of {targets} instances began again"
        ages = [self.at_s - one.all[-1] for one in scrapes.values()]
        if silent := sum(age_s > limit_s for age_s in ages):
            yield f"stale: {silent} of {targets} instances are silent for over {limit_s:g} s"
        if not all(increments.ends_as_a_number(one) for one in self.series):
            yield "not a number: a series that ended before has no value"


def _pair(one: Series, other: Series) -> str:
    where = one.labels.get("instance", "one instance")
    jobs = sorted({one.labels.get("job", ""), other.labels.get("job", "")})
    return f"{one.name} of {where} is there twice (job {' and '.join(jobs)})"
