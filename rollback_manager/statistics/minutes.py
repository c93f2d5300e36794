"""A number minute by minute, cut into the days that its seasons are learnt from."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from rollback_manager.statistics.evidence import Amounts

DAYS = 7
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BEFORE = timedelta(hours=2)
"""Minutes before the release on which the level of today is matched (detection A.4)."""
AFTER = DAY
"""So long after the release a number can be compared: then former days are its own."""
KEPT = DAYS * DAY + BEFORE + DAY
"""How long readings are kept: seven days before a release that went out a day ago at most."""
FEWEST = 0.5
"""Share of the minutes that must be measured for a day to count."""
LAST = 3
"""Of a day, these last minutes must be measured: they are what is compared."""


class Days(NamedTuple):
    """As `seasonal` takes them: a row per former day, and today before and after the release."""

    days: Amounts
    before: Amounts
    watched: Amounts


class Minutes:
    """Readings around one release, each in the place of its minute; NaN where there is none."""

    def __init__(self, released_at: datetime, readings: Mapping[datetime, float]) -> None:
        self._released_at = whole_minute(released_at) + MINUTE
        self._first = self._released_at - BEFORE - DAYS * DAY
        places = (self._released_at + AFTER - self._first) // MINUTE
        self._values = np.full(places, np.nan)
        for minute, value in readings.items():
            self.put(minute, value)

    def put(self, at: datetime, value: float) -> None:
        """One reading; what lies outside is of no use and not kept."""
        place = self._place(at)
        if 0 <= place < len(self._values):
            self._values[place] = value

    def until(self, at: datetime) -> Days | None:
        """The days up to the minute of `at`; None before the release and a day after it."""
        end, released = self._place(at) + 1, self._place(self._released_at)
        if not released < end <= len(self._values):
            return None
        first, day = released - BEFORE // MINUTE, DAY // MINUTE
        rows = (self._values[first - n * day : end - n * day] for n in range(1, DAYS + 1))
        measured = [_bridged(one) for one in rows if _is_measured(one)]
        days = np.array(measured).reshape(len(measured), end - first)
        return Days(days, self._values[first:released], self._values[released:end])

    def _place(self, at: datetime) -> int:
        return (at - self._first) // MINUTE


def whole_minute(at: datetime) -> datetime:
    """The minute in which it is."""
    return at.replace(second=0, microsecond=0)


def _is_measured(day: Amounts) -> bool:
    known = ~np.isnan(day)
    return bool(known[-LAST:].all() and known.mean() >= FEWEST and known[: BEFORE // MINUTE].any())


def _bridged(day: Amounts) -> Amounts:
    """Gaps of a former day as straight lines; there are few, and its median counts."""
    known = ~np.isnan(day)
    places = np.arange(len(day))
    return np.interp(places, places[known], day[known])
