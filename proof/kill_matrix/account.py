"""Everything that was seen of one rollback, as plain facts for the oracle."""

from dataclasses import dataclass
from datetime import datetime

from demo.load import Summary
from proof.kill_matrix.witnesses import Seen, Written
from rollback_manager.progress import RollbackOutcome


@dataclass(frozen=True)
class End:
    """How the world stands when all is over, asked of Envoy and supervisord."""

    shares: dict[str, int]
    ready: dict[str, int]


@dataclass(frozen=True)
class Happened:
    """One event of the service's history."""

    at: datetime
    kind: str
    """As in `activity_task_scheduled`."""
    activity: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Told:
    """What Temporal kept of a rollback, and what the product declared."""

    strategy: str
    outcome: RollbackOutcome
    history: tuple[Happened, ...]
    standing: str
    """Of the bad release in the records."""
    started_runs: int
    """Rollbacks that Temporal has for the starts of this case."""
    seconds: float
    """From the start of the load to its end."""
    recovered_s: float | None = None
    """From the fault to the end of the rollback."""
    planned: tuple[str, ...] = ()
    """Activities of the plan in order, as the product itself planned; of a reference alone."""

    def attempts(self, name: str) -> int:
        """Most attempts that any activity of the name took, as Temporal counted them."""
        return max((h.attempt for h in self._started if h.activity == name), default=0)

    @property
    def _started(self) -> list[Happened]:
        return [h for h in self.history if h.kind == "activity_task_started"]

    def first(self, kind: str, name: str) -> datetime | None:
        """When that first happened to the activity."""
        return next((h.at for h in self.history if (h.kind, h.activity) == (kind, name)), None)


@dataclass(frozen=True, kw_only=True)
class Account(Told):
    """The same with what the witnesses saw."""

    written: tuple[Written, ...]
    """Versions of the route file."""
    marks: tuple[str, ...]
    """Of the writes to supervisord."""
    processes: tuple[tuple[str, str], ...]
    users: Summary
    seen: tuple[Seen, ...]
    end: End
    lost: int
    """Requests and answers that the proxies kept from the workers."""

    @property
    def effects(self) -> list[dict[str, int]]:
        """The splits that users got one after the other: writes that changed something."""
        splits = [one.weights for one in self.written]
        return [s for before, s in zip([None, *splits], splits, strict=False) if s != before]
