"""How a release warms up: collected while it is watched, and learnt from by those after it."""

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Protocol

import numpy as np

from rollback_manager.errors import RollbackError
from rollback_manager.statistics import errors, slow_requests
from rollback_manager.statistics.envelope import EDGES_S, WarmUp
from rollback_manager.statistics.evidence import Interval
from rollback_manager.statistics.excess import Counts
from rollback_manager.statistics.release_watch import History
from rollback_manager.watch.warm_up import BINS, Compared, WarmedUp

FEWEST_RELEASES = 100
"""An envelope that is learnt from fewer forgives too little: the widest warm-ups are rare. Until
then that of a service nobody knows is taken, which is wider."""
LONGEST_S = 2 * EDGES_S[1]
"""Of an interval that is learnt from; counters that are scraped seldom have longer ones."""
READ_EVERY_S = 600.0


class WarmUps(Protocol):
    """Warm-ups of past releases."""

    def save_warm_up(self, env: str, seen: WarmedUp) -> None:
        """Keep it; the same version again replaces what was kept."""

    def good_warm_ups(self, env: str) -> list[WarmedUp]:
        """Of releases that are recorded and not known to be bad."""


class Warming:
    """The counts of one release that is watched from its first user on, until it is warm."""

    def __init__(self) -> None:
        self._errors, self._slow = np.zeros((4, BINS)), np.zeros((4, BINS))
        self._from_s: float | None = None

    def add(self, interval: Interval) -> bool:
        """One more interval; whether that was the last one, and all of them were seen."""
        at_s, length_s = float(interval.at_s[0]), float(interval.length_s[0])
        began_s = at_s - length_s
        self._from_s = began_s if self._from_s is None else self._from_s
        if length_s > LONGEST_S:
            self._from_s = inf  # it does not say in which of several bins it was
        if at_s > EDGES_S[-1]:
            return began_s <= EDGES_S[-1] and self._from_s < EDGES_S[1]
        if at_s > 0:
            place = bisect_right(EDGES_S, max(0.0, began_s)) - 1
            self._errors[:, place] += _numbers(errors.counts(interval))
            self._slow[:, place] += _numbers(slow_requests.counts(interval))
        return False

    def seen(self, service: str, version: str) -> WarmedUp:
        """What is kept of it."""
        of_errors, of_slow = _compared(self._errors), _compared(self._slow)
        return WarmedUp(service=service, version=version, errors=of_errors, slow=of_slow)


class Histories:
    """What one environment's past says to the next release; read seldom, kept meanwhile."""

    def __init__(self, warm_ups: WarmUps, env: str) -> None:
        self._warm_ups, self._env = warm_ups, env
        self._good: list[WarmedUp] = []
        self._read_at = float("-inf")

    def of(self, service: str, usual_errors: float) -> History:
        """Of a service: learnt, or that of one that nobody knows while there is too little."""
        self._read()
        if len(self._good) < FEWEST_RELEASES:
            return History(usual_errors)
        own = [one for one in self._good if one.service == service]
        return History.of(usual_errors, _pooled(own), _pooled(self._good))

    def keep(self, seen: WarmedUp) -> None:
        """For the next release; where the records are away there is one lesson less."""
        with suppress(RollbackError):
            self._warm_ups.save_warm_up(self._env, seen)

    def _read(self) -> None:
        """Records that are away cost a release what was learnt since, nothing else."""
        if monotonic() - self._read_at < READ_EVERY_S:
            return
        self._read_at = monotonic()
        with suppress(RollbackError):
            self._good = self._warm_ups.good_warm_ups(self._env)


def _numbers(counts: Counts) -> list[float]:
    return [float(one[0]) for one in counts]


def _compared(table: np.ndarray) -> Compared:
    rows = (tuple(float(one) for one in row) for row in table)
    return Compared(**dict(zip(Compared.model_fields, rows, strict=True)))


def _pooled(seen: Iterable[WarmedUp]) -> tuple[WarmUp, WarmUp]:
    every = list(seen)
    of_errors = sum((_counted(one.errors) for one in every), WarmUp.none())
    of_slow = sum((_counted(one.slow) for one in every), WarmUp.none())
    return of_errors.of(len(every)), of_slow.of(len(every))


def _counted(one: Compared) -> WarmUp:
    rows = (one.hits, one.tries, one.control_hits, one.control_tries)
    return WarmUp(1, *(np.array(row) for row in rows))
