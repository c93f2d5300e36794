"""Numbers kept by the minute, and read again as the days that a release is held to."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.watch.numbers import Numbers
from rollback_manager.errors import RollbackError
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.release import Release
from rollback_manager.statistics.business import Declared, Floor
from rollback_manager.statistics.minutes import KEPT, Minutes, whole_minute

WRITTEN_AT_ONCE = 5
"""Readings of so many minutes are written together: a worker's end loses no more than those."""
MOST_UNWRITTEN = 120
AGAIN = timedelta(minutes=1)
"""When former days are asked for again that could not be read."""


@dataclass(frozen=True)
class Measure:
    """One number and what it is held to. name: under which it is kept; label: for people.

    declared: the floor of the catalogue. has_season: it can be held to former days as well.
    """

    name: str
    label: str
    read: Callable[[datetime], Number | NoNumber]
    every_s: float
    floor: Floor
    declared: Declared | None = None
    has_season: bool = True


class KeptNumber:
    """One number's readings, kept by the minute in the records."""

    def __init__(self, env: str, service: str, measure: Measure, numbers: Numbers) -> None:
        self._key = env, service, measure.name
        self._measure, self._numbers = measure, numbers
        self._unwritten: dict[datetime, float] = {}

    def read(self, due_at: datetime) -> Number | NoNumber:
        """Read it and keep it; records that are away lose no reading that is judged now."""
        number = self._measure.read(due_at)
        if isinstance(number, Number) and self._measure.has_season:
            self._keep(whole_minute(due_at), number.value)
        return number

    def around(self, released_at: datetime, at: datetime) -> Minutes:
        """What is kept around a release. Raises Unreachable."""
        kept = self._numbers.numbers(*self._key, since=at - KEPT)
        return Minutes(released_at, {**kept, **self._unwritten})

    def _keep(self, minute: datetime, value: float) -> None:
        fresh = {**self._unwritten, minute: value}
        self._unwritten = dict(list(fresh.items())[-MOST_UNWRITTEN:])
        if len(fresh) < WRITTEN_AT_ONCE:
            return
        try:
            self._numbers.keep_numbers(*self._key, fresh, since=minute - KEPT)
        except RollbackError:
            return  # they are written with the next ones
        self._unwritten = {}


class FormerDays:
    """What is kept around the release under watch, read beside the looks."""

    def __init__(self, kept: KeptNumber, threads: Executor) -> None:
        self._kept, self._threads = kept, threads
        self._version = ""
        self._begin()

    def _begin(self) -> None:
        self._loading: Future[Minutes] | None = None
        self._asked_at: datetime | None = None
        self.minutes: Minutes | None = None
        """None until they have been read."""
        self.trouble = "not read yet"

    def load(self, release: Release, at: datetime) -> bool:
        """Whether anything came; they are asked for again while the records are away."""
        if release.version != self._version:
            self._version = release.version
            self._begin()
        if self.minutes is None and self._loading is None and self._is_due(at):
            self._asked_at = at
            self._loading = self._threads.submit(self._kept.around, release.recorded_at, at)
        return self._came()

    def _is_due(self, at: datetime) -> bool:
        return self._asked_at is None or at - self._asked_at >= AGAIN

    def _came(self) -> bool:
        if self._loading is None or not self._loading.done():
            return False
        loading, self._loading = self._loading, None
        try:
            self.minutes = loading.result()
        except RollbackError as error:
            self.trouble = error.what
        return True
