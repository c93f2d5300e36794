"""The releases of one environment that may be watched, read for all its services at once."""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from time import monotonic

from activities.records import Records
from activities.step import now
from rollback_manager.errors import PermanentError, RollbackError, Unreachable
from rollback_manager.release import Release

EVERY_S = 5.0
"""How long a new release may go unnoticed."""
LONGEST = 500
"""Of an error that is not ours."""

log = logging.getLogger(__name__)


class YoungReleases:
    """What the records said last; while they are away, that is watched on."""

    def __init__(self, records: Records, env: str, watched_s: float) -> None:
        self._records, self._env = records, env
        self._watched = timedelta(seconds=watched_s)
        self._known: Mapping[str, Sequence[Release]] | None = None
        self._read_at = float("-inf")
        self.away: RollbackError | None = None
        """Why they could not be read; None if they could."""

    @property
    def known(self) -> bool:
        """Whether they were read at all."""
        return self._known is not None

    def read(self) -> None:
        """Read them, if the last time is long enough ago."""
        if monotonic() - self._read_at < EVERY_S:
            return
        try:
            self._known = self._records.young(self._env, now() - self._watched)
            self.away = None
        except RollbackError as error:
            self.away = error
        except Exception as error:  # a mistake of ours must not look like "no release is young"
            log.exception("releases cannot be read", extra={"env": self._env})
            self.away = PermanentError(
                f"releases cannot be read: {type(error).__name__}: {error}"[:LONGEST]
            )
        self._read_at = monotonic()

    def of(self, service: str) -> Sequence[Release]:
        """The service's, newest first; none where none is young. Raises what kept them away."""
        if self._known is None:
            raise self.away or Unreachable("the records have not said which releases there are")
        return self._known.get(service, ())
