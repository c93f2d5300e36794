"""How often the jobs of a service may start a rollback: three times an hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from starters.gateway.problems import Refused

MOST = 3
WINDOW = timedelta(hours=1)
"""Three an hour and service (security T09): a job that asks more often has run wild, or is not
whose it says it is; a person can still start one."""


class Starts:
    """Counts in this process, and only what is new: the same key again is the same rollback."""

    def __init__(self) -> None:
        self._begun: dict[str, deque[tuple[datetime, str]]] = {}

    def count(self, places: Iterable[str], key: str, now: datetime) -> None:
        """Count one start of all of them, or none of it: Refused (429) where one has had enough.

        places: `environment/service`. key: of the rollback.
        """
        due = [self._due(place, now) for place in sorted(set(places))]
        new = [one for one in due if key not in {known for _, known in one}]
        if full := [one for one in new if len(one) >= MOST]:
            wait = max(one[0][0] for one in full) + WINDOW - now
            raise Refused(
                429,
                "too-many-starts",
                f"CI has started {MOST} rollbacks of this service within the hour",
                next_step="A person can start one: rollback-manager start SERVICE --env ENV",
                headers={"Retry-After": str(max(1, round(wait.total_seconds())))},
            )
        for one in new:
            one.append((now, key))

    def _due(self, place: str, now: datetime) -> deque[tuple[datetime, str]]:
        begun = self._begun.setdefault(place, deque())
        while begun and begun[0][0] <= now - WINDOW:
            begun.popleft()
        return begun
