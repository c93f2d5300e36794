"""Whether a declared source says what the watch needs: in words, and what to type next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Literal

from rollback_manager.access import Checked
from rollback_manager.errors import RollbackError
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.metrics.increments import Series
from rollback_manager.metrics.reading import NoReading
from rollback_manager.metrics.series import EDGE_MS, Increase, NothingNew, Used, look
from rollback_manager.metrics.sources import BusinessSource, PrometheusSource
from rollback_manager.values import Value

NOT_JUDGED = (
    "Until then no release of it is judged by errors and latency there, and no rollback verified"
)
NOT_HELD = "Until then no release of it is held to this number there"
LONGEST_REQUEST_S = 600.0
"""No request is sorted into buckets of ten minutes; milliseconds taken for seconds are."""
SHORTEST_TOP_MS = 60.0
"""Buckets that end there tell no slow request; seconds that are taken for milliseconds do."""
LATE = 1.5
"""Times the interval of the catalogue: samples that come more seldom are scraped more seldom."""
MOST_NAMED = 5


class SourcesAsked(Value):
    """Whether what the catalogue declares to be read can be read, in all its environments."""


class SourcesChecked(Value):
    """What the worker was told by each source."""

    checks: tuple[Checked, ...]


class Place(Value):
    """One service in one environment."""

    env: str
    service: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.service} in {self.env}"


def no_answer(check: str, place: Place, error: RollbackError) -> Checked:
    """It is down, or refuses us."""
    effect = NOT_JUDGED if check == METRICS else NOT_HELD
    return _checked(check, place, "fail", f"{error.what}. {effect}", error.next_step)


def number_checked(place: Place, source: BusinessSource, said: Number | NoNumber) -> Checked:
    """A number is well unless it lies beyond its own floor."""
    if isinstance(said, NoNumber):
        told = f"{source.name}: {said.because}. {NOT_HELD}"
        step = f"Mend it there, or correct `business` of {place} in the catalogue"
        return _checked(BUSINESS, place, "fail", told, step)
    told = f"{source.name}: {said.value:g} {said.unit}"
    lower = source.better == "lower"
    floor = source.floor
    if floor is not None and (said.value > floor if lower else said.value < floor):
        side = "above" if lower else "below"
        told += f", {side} its floor of {floor:g} already: another unit, or trouble of now?"
        step = f"Compare `unit`, `pointer` and `floor` of {place} with what the source counts"
        return _checked(BUSINESS, place, "warn", told, step)
    return _checked(BUSINESS, place, "ok", told)


def counters_checked(
    place: Place,
    source: PrometheusSource,
    series: Sequence[Series],
    carrying: Collection[str],
    at: datetime,
) -> tuple[Checked, ...]:
    """What the samples of one service say.

    carrying: versions that have traffic; empty where that is not known: then those that are counted
    are held to it alone.
    """
    named = {one.labels.get(source.version_label, "") for one in series} - {""}
    versions = sorted(carrying or named) or [""]
    found = look(series, source, versions, Used(), at).found
    troubles = {name: one for name, one in found.items() if _is_trouble(one)}
    if troubles:
        return (_trouble(place, source, troubles, all_of=len(troubles) == len(found)),)
    doubts = [*_doubts(source, series, found.values())]
    if doubts:
        return tuple(_checked(METRICS, place, "warn", *doubt) for doubt in doubts)
    return (_checked(METRICS, place, "ok", f"answers: {'; '.join(_counted(found))}"),)


def nothing_found(
    place: Place, source: PrometheusSource, service_value: str, there: Sequence[str]
) -> Checked:
    """No series of the service. there: what its label says of others; "" of those without it."""
    told = f"answers, but has no series of {source.requests}"
    where = "".join(f', {label}="{value}"' for label, value in sorted(source.where.items()))
    if not there:
        told += f" at all{where and ' with' + where[1:]}"
        step = f"Correct `requests`{' or `where`' if where else ''} in `metrics` of {place}"
    else:
        told += f' with {source.service_label}="{service_value}"{where}'
        step = f"Correct `service_label` or `service_value` in `metrics` of {place}"
        told += f": {_others(source.service_label, there)}"
    return _checked(METRICS, place, "fail", f"{told}. {NOT_JUDGED}", step)


METRICS, BUSINESS = "metrics", "business"


def _checked(
    check: str, place: Place, level: Literal["ok", "warn", "fail"], told: str, step: str = ""
) -> Checked:
    return Checked(check=check, level=level, told=f"{place}: {told}", next_step=step)


def _others(label: str, there: Sequence[str]) -> str:
    values = sorted({*there} - {""})
    if not values:
        return f"none of its series has a label {label!r}"
    more = ", …" if len(values) > MOST_NAMED else ""
    return f"that label says {', '.join(values[:MOST_NAMED])}{more}"


def _is_trouble(one: Increase | NoReading) -> bool:
    return isinstance(one, NoReading) and not isinstance(one, NothingNew)


def _trouble(
    place: Place,
    source: PrometheusSource,
    troubles: dict[str, Increase | NoReading],
    all_of: bool,
) -> Checked:
    """The same reason of several versions once."""
    reasons = dict.fromkeys(one.because for one in troubles.values() if isinstance(one, NoReading))
    told = f"answers, but {'; '.join(reasons)}. {NOT_JUDGED}"
    step = f"Correct `metrics` of {place} in the catalogue, or what the service exports"
    if any(because.startswith(("one arm", "empty")) for because in reasons):
        step = (
            f"`version_label` of {place} must name the label whose value is the release's version"
            f" (now: {source.version_label})"
        )
    elif any(because.startswith("stale") for because in reasons):
        step = "Look at the targets of that Prometheus: is the service scraped, how often?"
    elif any(because.startswith("clock skew") for because in reasons):
        step = "Set the clocks of the worker and of that Prometheus by NTP"
    return _checked(METRICS, place, "fail" if all_of else "warn", told, step)


def _doubts(
    source: PrometheusSource, series: Sequence[Series], found: Collection[Increase | NoReading]
) -> Iterator[tuple[str, str]]:
    """What can be counted, and is counted wrongly or late. With what to do."""
    if doubt := _unit(source, found):
        yield doubt
    apart_s = _apart_s(series)
    if apart_s is not None and apart_s > LATE * source.scrape_interval_s:
        told = f"it is scraped every {apart_s:.3g} s, the catalogue says"
        told += f" {source.scrape_interval_s:g} s: samples will be called stale that are not"
        yield told, f"scrape_interval_s: {apart_s:.0f}"
    notes = {note for one in found if isinstance(one, Increase) for note in one.notes}
    for note in sorted(one for one in notes if one.startswith("latency")):
        yield f"{note}. Slow releases go unnoticed", "Correct `latency`, or leave it out"


def _unit(
    source: PrometheusSource, found: Collection[Increase | NoReading]
) -> tuple[str, str] | None:
    """By the highest bucket, which every service has far above its usual latency."""
    tops = [one.latency_ms[-1][0] for one in found if isinstance(one, Increase) and one.latency_ms]
    if not tops:
        return None
    top = max(tops) / EDGE_MS[source.latency_unit]
    told = f"the highest bucket of {source.latency} is {top:g} {source.latency_unit}: "
    if source.latency_unit == "s" and top > LONGEST_REQUEST_S:
        return (
            told + "are these milliseconds? Then each P95 is told 1,000 times too high",
            "latency_unit: ms",
        )
    if source.latency_unit == "ms" and top <= SHORTEST_TOP_MS:
        return (
            told + "are these seconds? Then each P95 is told 1,000 times too low",
            "latency_unit: s",
        )
    return None


def _apart_s(series: Sequence[Series]) -> float | None:
    gaps = [after.at_s - before.at_s for one in series for before, after in pairwise(one.samples)]
    return median(gaps) if gaps else None


def _counted(found: dict[str, Increase | NoReading]) -> Iterator[str]:
    for version, one in found.items():
        if isinstance(one, Increase):
            yield (
                f"{version} {one.requests} requests in {one.window_s:.0f} s,"
                f" newest sample {one.age_s:.0f} s old"
            )
        else:
            yield f"{version} {one.because}"
