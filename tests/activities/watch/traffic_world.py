"""Traffic of two versions that a test moves on by hand, and incidents that remember."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.targets import SharesAsSet, Target
from activities.watch.other_tests import Place
from activities.watch.under_watch import TrafficLook
from proof.stand_ins import StandInService
from rollback_manager.catalogue import Placement
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.metrics.reading import Counts, Snapshot
from rollback_manager.release import Baseline, Release, Standing
from tests import rig

BEGAN = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
EDGES = (25.0, 50.0, 100.0, 250.0, 500.0)


def baseline(error_ratio: float = 0.01, latency_p95_ms: float = 50) -> Baseline:
    return Baseline(
        requests=10_000,
        error_ratio=error_ratio,
        latency_p95_ms=latency_p95_ms,
        requests_per_s=100,
        window_s=100,
        taken_at=BEGAN,
    )


def release(
    version: str,
    minute: float = 0,
    standing: Standing = Standing.CANDIDATE,
    measured: Baseline | None = None,
) -> Release:
    """Recorded so many minutes after BEGAN."""
    return Release(
        version=version,
        digest=f"sha256:{version}",
        recorded_at=BEGAN + timedelta(minutes=minute),
        recorded_by="test",
        standing=standing,
        baseline=measured,
    )


@dataclass
class Traffic:
    """Counters of each version. per_s: requests of all versions together."""

    shares_now: dict[str, int]
    per_s: float = 200
    at: datetime = BEGAN
    errors: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    counted: dict[str, list[float]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    down: str = ""
    looks: int = 0
    workloads: StandInService = field(
        default_factory=lambda: StandInService(
            shares_now={"v1": 50, "v2": 50}, running={"v1": 4, "v2": 4}
        )
    )

    def pass_s(self, seconds: float) -> None:
        """Let so much time pass under this traffic."""
        self.at += timedelta(seconds=seconds)
        for version, part in self.shares_now.items():
            row = self.counted.setdefault(version, [0.0, 0.0, 0.0])
            requests = self.per_s * seconds * part / 100 if version not in self.silent else 0
            row[0] += requests
            row[1] += requests * self.errors.get(version, 0.01)
            row[2] += requests * self.slow.get(version, 0.04)

    def restart(self) -> None:
        """Every counter from zero."""
        self.counted = {version: [0.0, 0.0, 0.0] for version in self.counted}

    def look(self) -> TrafficLook:
        return TrafficLook(dict(self.shares_now), self.snapshot())

    def shares(self) -> SharesAsSet:
        self.looks += 1
        if self.down:
            raise Unreachable(self.down)
        return SharesAsSet(shares=dict(self.shares_now), mark=None, acknowledged=True)

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        return Snapshot(
            taken_at=self.at, versions={name: _counts(row) for name, row in self.counted.items()}
        )

    def target(self) -> Target:
        return Target(traffic=_Traffic(self), workloads=self.workloads, journeys=self.workloads)


class _Traffic(StandInService):
    """Its shares and counters are the test's."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(shares_now={"v1": 100}, running={"v1": 1})
        self._traffic = traffic

    def shares(self) -> SharesAsSet:
        return self._traffic.shares()

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        return self._traffic.snapshot()


def _counts(row: list[float]) -> Counts:
    requests, errors, slow = row
    fast = requests - slow
    buckets = tuple((edge, int(fast if edge < 250 else requests)) for edge in EDGES)
    return Counts(
        requests=int(requests), errors=int(errors), in_flight=0, serving=4, latency_ms=buckets
    )


@dataclass
class Remembered:
    """Incidents that remember what they are told. fails: raised instead, so many times."""

    alarms: list[Alarm] = field(default_factory=list)
    well: list[Alarm] = field(default_factory=list)
    fails: int = 0
    before: Callable[[], None] = lambda: None

    def alarm(self, alarm: Alarm) -> None:
        self.before()
        if self.fails:
            self.fails -= 1
            raise Unreachable("Temporal does not answer")
        self.alarms.append(alarm)

    def recovered(self, alarm: Alarm) -> None:
        self.well.append(alarm)


class AtOnce(Executor):
    """Reads in the thread of the look, so that a test need not wait."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done


class KeptInMemory:
    """A stand-in for the records' numbers. away: raised instead."""

    def __init__(self) -> None:
        self.all: dict[str, dict[datetime, float]] = {}
        self.away = ""

    def keep_numbers(
        self, env: str, service: str, name: str, readings: Mapping[datetime, float], since: datetime
    ) -> None:
        self._answer()
        kept = {**self.all.get(name, {}), **readings}
        self.all[name] = {minute: value for minute, value in kept.items() if minute >= since}

    def numbers(self, env: str, service: str, name: str, since: datetime) -> dict[datetime, float]:
        self._answer()
        return {at: value for at, value in self.all.get(name, {}).items() if at >= since}

    def _answer(self) -> None:
        if self.away:
            raise Unreachable(self.away)


def place(**placement: object) -> Place:
    """The shop, with these words in the catalogue beside its targets."""
    plain = rig.catalogue("shop", {}).placement("test", "shop")
    described = {**plain.model_dump(), **placement}
    return Place("test", "shop", Placement.model_validate(described))
