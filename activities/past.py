"""What was learnt from labelled decisions, at hand where the next one is made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import getLogger
from threading import Lock
from typing import Generic, Protocol, TypeVar

from rollback_manager.decision.calibration import Calibration
from rollback_manager.decision.levels import PastAlarm, calibration
from rollback_manager.decision.model import DecisionModel, NotTrained
from rollback_manager.errors import RollbackError
from rollback_manager.policy import DecisionPolicy

READ_AGAIN_S = 60.0
"""A label or a model counts in the next decision after so long: people need longer to give one."""
MOST_INCIDENTS = 1000
"""Labelled ones that are read, the newest: some 10 MB of records, a quarter of a second."""
T = TypeVar("T")


class PastAlarms(Protocol):
    """The alarms of labelled decisions."""

    def past_alarms(self, env: str, most: int) -> Sequence[PastAlarm]:
        """Of the `most` incidents that were labelled last, at their first and last judgement."""


class Models(Protocol):
    """Trained models, numbered in each environment; at most one of them is asked."""

    def keep_model(self, env: str, model: DecisionModel) -> DecisionModel:
        """Keep it under the next version of its environment, and use it from now on."""

    def use_model(self, env: str, version: int) -> None:
        """Use that one from now on, 0: none. Raises NotFound for one that is not kept."""

    def model_in_use(self, env: str) -> DecisionModel | None:
        """The one that is asked; None where none is."""


class Past:
    """Reads it seldom, and goes on with what it last read while the records do not answer.

    It never fails: a decision without a past is made, and says that it has none.
    """

    def __init__(self, alarms: PastAlarms, models: Models) -> None:
        self._alarms = Seldom[Sequence[PastAlarm]](
            lambda env: alarms.past_alarms(env, MOST_INCIDENTS)
        )
        self._models = Seldom[DecisionModel | None](models.model_in_use)

    def calibration(self, env: str, service: str, policy: DecisionPolicy) -> Calibration:
        """The levels of the service and of all others of its environment."""
        alarms, because = self._alarms.of(env)
        if alarms is None:
            return Calibration(unread=f"past decisions cannot be read: {because}")
        return calibration(alarms, service, policy)

    def false_alarms(self, env: str, service: str) -> int:
        """How many incidents of the service turned out to be false; 0 where that is not known."""
        alarms, _ = self._alarms.of(env)
        return len({one.incident for one in alarms or () if one.false and one.service == service})

    def model(self, env: str) -> DecisionModel | NotTrained:
        """The model to ask, or why there is none."""
        model, because = self._models.of(env)
        if model is not None:
            return model
        said = f"it cannot be read: {because}" if because else "not trained: none is in use"
        return NotTrained(because=said)


@dataclass(frozen=True)
class _Read(Generic[T]):
    """because: why it could not be read; then `what` is what was read before, if anything was."""

    at: float
    what: T | None
    because: str


class Seldom(Generic[T]):
    """Something of each environment that is read once a minute at most, whatever comes of it."""

    def __init__(self, read: Callable[[str], T], clock: Callable[[], float] = time.monotonic):
        self._read, self._clock = read, clock
        self._known: dict[str, _Read[T]] = {}
        self._lock = Lock()

    def of(self, env: str) -> tuple[T | None, str]:
        """What was read, and why nothing was; after a failure what had been read before."""
        with self._lock:
            known = self._known.get(env)
            if known is None or self._clock() - known.at >= READ_AGAIN_S:
                known = self._known[env] = self._again(env, known)
        return known.what, known.because

    def _again(self, env: str, before: _Read[T] | None) -> _Read[T]:
        try:
            return _Read(self._clock(), self._read(env), "")
        except RollbackError as error:
            getLogger(__name__).warning(
                "the past could not be read", extra={"env": env, "because": error.what}
            )
            return _Read(self._clock(), before.what if before else None, error.what)
