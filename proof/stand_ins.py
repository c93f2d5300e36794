"""Stand-ins: small real classes of the roles' protocols, for tests of order alone.

They are no evidence about a vendor, and no worker can be configured with them. They keep a ledger
of every mutating call, with its mark, as an independent witness.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from activities.integrations.sql import SqlRecords
from activities.records import PastRollback
from activities.targets import InstanceState, SharesAsSet, Target, VersionState
from rollback_manager.claim import UNSAID, Purpose
from rollback_manager.errors import StaleWrite
from rollback_manager.metrics.reading import Counts, Snapshot
from rollback_manager.operation import Mark
from rollback_manager.progress import ServiceOutcome
from rollback_manager.verification import Answer, Verdict


@dataclass(frozen=True)
class Write:
    """One line of the ledger: what was asked for, by whom, and whether it changed anything."""

    what: str
    mark: Mark
    changed: bool


class Gate:
    """Holds the thread that comes to the write of that name until `open` is called.

    Use it as `before_write` or `after_write`; `reached` is set once a thread waits.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = threading.Event()
        self.reached = threading.Event()

    def __call__(self, name: str) -> None:
        if name == self._name:
            self.reached.set()
            self._open.wait(30)

    def open(self) -> None:
        """Let it go on, and all that come after it."""
        self._open.set()


class FailsAtFirst:
    """Raises that error for the first `times` writes of that name."""

    def __init__(self, name: str, error: Exception, times: int) -> None:
        self._name, self._error, self.left = name, error, times

    def __call__(self, name: str) -> None:
        if name == self._name and self.left:
            self.left -= 1
            raise self._error


class InterruptedRecords(SqlRecords):
    """The real records, with something before `claim` and `close` that may raise or wait."""

    def __init__(self, engine: Engine, before: Callable[[str], None]) -> None:
        super().__init__(engine)
        self._before = before

    def claim(
        self, env: str, service: str, rollback: str, purpose: Purpose = UNSAID, above: int = 0
    ) -> int:
        self._before("claim")
        return super().claim(env, service, rollback, purpose, above)

    def close(self, env: str, rollback: str, outcome: ServiceOutcome, past: PastRollback) -> None:
        self._before("close")
        super().close(env, rollback, outcome, past)


@dataclass
class StandInService:
    """A service with two or more versions behind a split, without any process behind it.

    Every snapshot moves the counters on by `requests_per_look`, split as the shares are, so that
    windows fill as fast as somebody looks. before_write: called before each write; may raise or
    wait. after_write: the same once the write has landed, its answer has not. not_ready: instances
    of a version that run and are not ready. late_looks: after each new split, so many readings of
    the shares still show the old one beside the new mark, as a proxy does that applies it late.
    """

    shares_now: dict[str, int]
    running: dict[str, int]
    maximum: int = 4
    requests_per_look: int = 10_000
    error_ratio: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    journeys_fail: bool = False
    not_ready: dict[str, int] = field(default_factory=dict)
    late_looks: int = 0
    before_write: Callable[[str], None] = lambda _: None
    after_write: Callable[[str], None] = lambda _: None
    ledger: list[Write] = field(default_factory=list)
    mark: Mark | None = None
    scale_mark: Mark | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = dict.fromkeys(self.running, 0.0)
        self._errors = dict.fromkeys(self.running, 0.0)
        self._late, self._old = 0, dict(self.shares_now)
        self.refused = 0
        self.splits = [dict(self.shares_now)]
        self.carrying = [self._carrying()]

    def able(self, version: str) -> int:
        """Instances that run and are ready."""
        return max(0, self.running.get(version, 0) - self.not_ready.get(version, 0))

    def _carrying(self) -> int:
        return sum(self.able(version) for version, part in self.shares_now.items() if part)

    def target(self) -> Target:
        """All three roles, played by this object."""
        return Target(traffic=self, workloads=self, journeys=self)

    # traffic
    def shares(self) -> SharesAsSet:
        with self._lock:
            if self._late:
                self._late -= 1
                return SharesAsSet(shares=dict(self._old), mark=self.mark, acknowledged=False)
            return SharesAsSet(shares=dict(self.shares_now), mark=self.mark, acknowledged=True)

    def split(self) -> dict[str, int]:
        return self.shares().shares

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        self.before_write("set_shares")
        with self._lock:
            if self.mark is not None and mark.is_older_than(self.mark):
                self.refused += 1
                raise StaleWrite(f"{self.mark} stands there")
            wanted = {version: part for version, part in shares.items() if part}
            self.ledger.append(Write(f"shares {wanted}", mark, wanted != self.shares_now))
            self._late, self._old = self.late_looks, self.shares_now
            self.shares_now, self.mark = wanted, mark
            self.splits.append(wanted)
            self.carrying.append(self._carrying())
        self.after_write("set_shares")

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        with self._lock:
            for version, part in self.shares_now.items():
                grown = self.requests_per_look * part / 100
                failed = grown * self.error_ratio.get(version, 0.0)
                self._requests[version] = self._requests.get(version, 0.0) + grown
                self._errors[version] = self._errors.get(version, 0.0) + failed
            return Snapshot(taken_at=datetime.now(UTC), versions=self._counts())

    def _counts(self) -> dict[str, Counts]:
        return {
            version: Counts(
                requests=int(self._requests.get(version, 0.0)),
                errors=int(self._errors.get(version, 0.0)),
                in_flight=self.in_flight.get(version, 0),
                serving=self.able(version),
                latency_ms=tuple(
                    (edge, int(self._requests.get(version, 0.0))) for edge in (10.0, 100.0)
                ),
            )
            for version in self.running
        }

    # workloads
    def versions(self) -> dict[str, VersionState]:
        with self._lock:
            return {
                version: VersionState(
                    version=version,
                    digest=f"sha256:{version}",
                    running=running,
                    ready=self.able(version),
                    maximum=self.maximum,
                )
                for version, running in self.running.items()
            }

    def instances(self) -> tuple[InstanceState, ...]:
        with self._lock:
            return tuple(
                InstanceState(
                    name=f"{version}-{number}",
                    version=version,
                    ready=number < self.able(version),
                )
                for version, running in self.running.items()
                for number in range(running)
            )

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        self.before_write("scale")
        with self._lock:
            if self.scale_mark is not None and mark.is_older_than(self.scale_mark):
                raise StaleWrite(f"{self.scale_mark} stands there")
            changed = self.running[version] != instances
            self.ledger.append(Write(f"{version} × {instances}", mark, changed))
            self.running[version], self.scale_mark = instances, mark
            self.carrying.append(self._carrying())
        self.after_write("scale")

    def by_hand(self, *_: object) -> tuple[str, ...]:
        return ("# a stand-in has no commands",)

    # journeys
    def run(self) -> tuple[Verdict, ...]:
        answer = Answer.FAILED if self.journeys_fail else Answer.PASSED
        return (Verdict(check="journey: front page", answer=answer, because="a stand-in"),)

    def run_at(self, address: str) -> tuple[Verdict, ...]:
        return self.run()
