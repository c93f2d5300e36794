"""One object, read at most every few seconds however many ask for it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from activities.integrations.kubernetes.world import FRESH_S

T = TypeVar("T")


class Fresh(Generic[T]):
    """What `read` answered last, while that is young enough."""

    def __init__(self, read: Callable[[], T], max_age_s: float = FRESH_S) -> None:
        self._read = read
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._last: tuple[float, T] | None = None

    def now(self) -> T:
        """The same answer for all who ask within the age."""
        asked_at = time.monotonic()
        with self._lock:
            if self._last is None or asked_at - self._last[0] > self._max_age_s:
                self._last = time.monotonic(), self._read()
            return self._last[1]

    def put(self, answer: T) -> None:
        """What a write answered with is what stands there now."""
        with self._lock:
            self._last = time.monotonic(), answer

    def forget(self) -> None:
        """After a write: whoever asks next must see what came of it."""
        with self._lock:
            self._last = None
