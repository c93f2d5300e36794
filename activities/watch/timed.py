"""Reads at an interval of their own, beside the looks: a slow source delays nothing else."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from rollback_manager.errors import RollbackError

OTHERS = ThreadPoolExecutor(max_workers=200, thread_name_prefix="others")
"""Threads for these reads alone. Each read is bounded in time by its source, and of each source one
read is under way at most, so that none that hangs takes more than one."""
LATE_S = 15.0
"""A read that takes longer than that beyond its interval is told: one question to a source is
answered sooner."""
STANDS = 3
"""Intervals after which an answer says nothing any more: the watch was elsewhere, or nothing was
watched, and what was broken then may have been repaired since."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class News(NamedTuple, Generic[T]):
    """What a read came to, and when. trouble: why it came to nothing; then `value` is None."""

    at: datetime
    value: T | None
    trouble: str = ""


class Timed(Generic[T]):
    """One read, again and again; never twice at once. It is given the time at which it was due.

    Those times keep their distance, however late each look comes: a reading a minute leaves no
    minute out. late_s: how long beyond its interval a read may take, in seconds.
    """

    def __init__(
        self,
        read: Callable[[datetime], T],
        every_s: float,
        threads: Executor = OTHERS,
        late_s: float = LATE_S,
    ) -> None:
        self._read, self._threads = read, threads
        self._every = timedelta(seconds=every_s)
        self._late = timedelta(seconds=late_s)
        self._under_way: Future[T] | None = None
        self._asked_at: datetime | None = None
        self._answered_at: datetime | None = None

    def news(self, at: datetime) -> News[T] | None:
        """What came since it was asked last, once; begins the next read where it is due."""
        came, due_at = self._came(at), self._due_at(at)
        if at >= due_at and self._under_way is None:
            self._asked_at = due_at
            self._under_way = self._threads.submit(self._read, due_at)
        return came

    def _due_at(self, at: datetime) -> datetime:
        """After a pause from now on: what was missed is not made up for."""
        if self._asked_at is None or at - self._asked_at >= 2 * self._every:
            return at
        return self._asked_at + self._every

    def late(self, at: datetime) -> str:
        """That a read does not come back, or none was made for long; empty while all is well."""
        if self._under_way is not None and self._asked_at is not None:
            waiting = at - self._asked_at
            if waiting >= self._every + self._late:
                return f"no answer for {waiting.total_seconds():.0f} s"
        if self._answered_at is None or self.stands(self._answered_at, at):
            return ""
        return f"the last answer is {(at - self._answered_at).total_seconds():.0f} s old"

    def stands(self, read_at: datetime, at: datetime) -> bool:
        """Whether what was read then still says something."""
        return at - read_at <= STANDS * self._every + self._late

    def _came(self, at: datetime) -> News[T] | None:
        """What was asked before a pause is no news after it."""
        if self._under_way is None or not self._under_way.done() or self._asked_at is None:
            return None
        future, self._under_way = self._under_way, None
        if not self.stands(self._asked_at, at):
            return None
        self._answered_at = self._asked_at
        try:
            return News(self._asked_at, future.result())
        except RollbackError as error:
            return News(self._asked_at, None, error.what)
        except Exception as error:  # a mistake of ours here must not blind the other tests
            log.exception("a read failed")
            return News(self._asked_at, None, f"{type(error).__name__}: {error}")
