"""Labelled series of one number, on an even grid, and watches placed in them by chance."""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rollback_manager.statistics.evidence import Amounts, Flags

DAY_S = 86_400
DAYS = 7
"""Former days that the seasonal rule is given, as far as the series has them."""
WATCH_S, BEFORE_S = 1800, 7200
"""As in the study: half an hour is watched, levelled on the two hours before it."""


@dataclass(frozen=True)
class Series:
    """values: one per step, NaN where the source has none. labelled: where people saw trouble.

    labels: [first, last] step of each stretch of it.
    """

    name: str
    group: str
    step_s: int
    values: Amounts
    labelled: Flags
    labels: tuple[tuple[int, int], ...]

    def steps(self, seconds: int) -> int:
        """How many steps so many seconds are."""
        return seconds // self.step_s


@dataclass(frozen=True)
class Watch:
    """Half an hour of a series. days: former ones, rows over the same minutes as before + watched.

    hour: the end of `before`, what the seed compares with.
    """

    days: Amounts
    before: Amounts
    watched: Amounts
    step_s: int

    @property
    def hour(self) -> Amounts:
        """The last hour before the watch."""
        return self.before[-3600 // self.step_s :]

    def fallen(self, drop: float) -> "Watch":
        """The same with a drop from its first step on."""
        return Watch(self.days, self.before, self.watched * (1 - drop), self.step_s)


def read_series(folder: Path) -> list[Series]:
    """All series of a folder; empty where it has none."""
    labels = sorted(folder.glob("*.labels.json"))
    return [_series(path, json.loads(path.read_text())) for path in labels]


def _series(path: Path, about: dict[str, Any]) -> Series:
    name, step_s = about["series"], about["step_s"]
    with gzip.open(path.parent / f"{name}.csv.gz", "rt") as rows:
        points = [(_second(row["timestamp"]), row["value"]) for row in csv.DictReader(rows)]
    first = points[0][0]
    places = [round((at - first) / step_s) for at, _ in points]
    values = np.full(max(places) + 1, np.nan)
    values[places] = [float(value) if value else np.nan for _, value in points]
    stretches = about.get("windows") or about.get("intervals") or []
    bad = tuple(
        (int((_second(a) - first) // step_s), int((_second(b) - first) // step_s))
        for a, b in stretches
    )
    labelled = np.zeros(values.size, dtype=bool)
    for start, end in bad:
        labelled[start : end + 1] = True
    return Series(name, about.get("group", ""), step_s, values, labelled, bad)


def _second(text: str) -> int:
    """Seconds; a time without a zone is taken as UTC, for only differences count."""
    return int(datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC).timestamp())


def watch_at(series: Series, start: int) -> Watch | None:
    """The watch that begins at a step; None where the series does not reach, or has gaps."""
    before, watched = series.steps(BEFORE_S), series.steps(WATCH_S)
    if start < before or start + watched > series.values.size:
        return None
    now = series.values[start - before : start + watched]
    if np.isnan(now).any():
        return None
    day = series.steps(DAY_S)
    former = [start - before - back * day for back in range(1, DAYS + 1)]
    rows = [series.values[at : at + now.size] for at in former if at >= 0]
    days = np.array(rows) if rows else np.empty((0, now.size))
    return Watch(days, now[:before], now[before:], series.step_s)


def quiet_watches(series: Series, count: int, seed: int, history: bool = False) -> Iterator[Watch]:
    """`count` watches at random, none of which sees a label, nor do the two hours before it.

    history: only those with DAYS former days. Fewer where the series has no such place.
    """
    chance = np.random.default_rng(seed)
    before, watched = series.steps(BEFORE_S), series.steps(WATCH_S)
    earliest = before + (series.steps(DAY_S) * DAYS if history else 0)
    found = 0
    for start in chance.integers(earliest, max(earliest + 1, series.values.size), 20 * count):
        if found == count or series.labelled[start - before : start + watched].any():
            continue
        watch = watch_at(series, int(start))
        if watch is not None:
            found += 1
            yield watch


def labelled_watches(series: Series, label: tuple[int, int]) -> Iterator[Watch]:
    """Watches one after the other whose end lies within a label: there, an alarm is right."""
    watched = series.steps(WATCH_S)
    for start in range(label[0], label[1] + 1, watched):
        watch = watch_at(series, start)
        if watch is not None:
            yield watch
