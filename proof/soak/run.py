"""One rollback of the soak: its services, what goes wrong, the person at the desk, the verdict."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.records import PastRollback
from proof.in_process import release
from proof.soak.drawing import OF_THE_ROLLBACK, Drawn, Fault, Trouble
from proof.soak.oracle import violations
from proof.soak.target import Troubled, Truth
from rollback_manager.catalogue import Catalogue
from rollback_manager.claim import UNSAID, Purpose
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    PauseCommand,
    RollbackRequest,
    StepCommand,
)
from rollback_manager.errors import RollbackError, TemporaryError
from rollback_manager.progress import (
    RollbackOutcome,
    RollbackStatus,
    ServiceOutcome,
    State,
    StepState,
)
from rollback_manager.release import Standing
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker

PATIENCE_S = 240.0
"""Ten times what the longest takes on two cores: what has not ended then hangs."""
ENDS_S = 60.0
"""For a worker to end; one that hangs must not hide what came of its rollback."""
DESK_S = 0.4
"""Between two looks of the person at the desk."""
WAITS = (StepState.FAILED, StepState.INCONCLUSIVE, StepState.STOPPED)
POLICY: dict[str, object] = {
    "approval": {"required": False, "deadline_s": 120},
    "verification": {"min_window_s": 0, "max_window_s": 3, "throughput_floor": 0},
    "slices": {"percents": [33, 100], "min_s": 0, "requests": 10, "max_s": 3},
    "batch_fraction": 0.5,
    "timeouts": {
        "prepare_s": 6,
        "redirect_traffic_s": 5,
        "drain_s": 6,
        "stop_batch_s": 6,
        "clean_up_s": 6,
        "heartbeat_s": 2,
    },
}


@dataclass(frozen=True)
class Soaked:
    """What came of one."""

    drawn: Drawn
    result: str
    violations: tuple[str, ...]
    seconds: float


class FailingRecords(SqlRecords):
    """The real records, which do not answer for a while: before claims and closings."""

    left = 0

    def claim(
        self, env: str, service: str, rollback: str, purpose: Purpose = UNSAID, above: int = 0
    ) -> int:
        """As the real one."""
        self._may_fail()
        return super().claim(env, service, rollback, purpose, above)

    def close(self, env: str, rollback: str, outcome: ServiceOutcome, past: PastRollback) -> None:
        """As the real one."""
        self._may_fail()
        super().close(env, rollback, outcome, past)

    def _may_fail(self) -> None:
        if self.left > 0:
            self.left -= 1
            raise TemporaryError("the records do not answer", retry_after_s=0.2)


class Soak:
    """A Temporal and records for many rollbacks, each in an environment of its own."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._url = f"sqlite:///{folder / 'records.sqlite'}"
        engine = engine_for(self._url)
        upgrade(engine)
        engine.dispose()

    async def run(self, drawn: Drawn) -> Soaked:
        """One of them, to its end."""
        begun = time.monotonic()
        one = _One(self._client, self._folder, self._url, drawn)
        try:
            async with asyncio.timeout(PATIENCE_S):
                outcome = await one.to_the_end()
            result, found = str(outcome.result), one.judge(outcome)
        except TimeoutError:
            result, found = "no end", [f"I10: no end in {PATIENCE_S:g} s: {one.last}"]
        except RollbackError as error:
            result, found = "error", [f"I10: {error.what}"]
        finally:
            one.engine.dispose()
        return Soaked(drawn, result, tuple(found), time.monotonic() - begun)


class _One:
    def __init__(self, client: Client, folder: Path, url: str, drawn: Drawn) -> None:
        self._client, self._drawn = client, drawn
        mark = f"{drawn.seed}-{uuid.uuid4().hex[:6]}"
        self._env, self._key = f"env-{mark}", f"soak-{mark}"
        names = [f"s{number}-{mark}" for number in range(len(drawn.strategies))]
        self.targets = {
            name: _target(strategy, drawn, number)
            for number, (name, strategy) in enumerate(zip(names, drawn.strategies, strict=True))
        }
        self._initial: dict[str, Truth] = {n: t.truth for n, t in self.targets.items()}
        self._settings = Settings(data=folder, task_queue=f"q-{mark}")
        self._catalogue = _catalogue(self._env, dict(zip(names, drawn.strategies, strict=True)))
        self.engine = engine_for(url)
        self.records = FailingRecords(self.engine)
        self._client_of = RollbackClient(client, task_queue=f"q-{mark}")
        self._retries = dict.fromkeys(names, drawn.retries)
        self.last = ""
        _record(self.records, self._env, names, drawn.desired)

    async def to_the_end(self) -> RollbackOutcome:
        """Start it, let everything go wrong that is to, and be the person who is asked."""
        request = RollbackRequest(
            env=self._env, services=tuple(self.targets), key=self._key, requested_by="soak"
        )
        rollback = await self._client_of.start(request)
        async with self._worked(), asyncio.TaskGroup() as group:
            others = [group.create_task(self._happens(rollback, f)) for f in self._drawn.faults]
            desk = group.create_task(self._desk(rollback))
            outcome = await rollback.result()
            for task in (desk, *others):
                task.cancel()
        while not all(target.is_at_rest for target in self.targets.values()):
            await asyncio.sleep(0.1)  # the last late one is still to come, and must change nothing
        return outcome

    def judge(self, outcome: RollbackOutcome) -> list[str]:
        """By the oracle."""
        return violations(self._drawn, self.targets, self._initial, outcome)

    @contextlib.asynccontextmanager
    async def _worked(self) -> AsyncIterator[None]:
        """Workers one after the other: each ends when a fault says so, and another one begins."""
        ends = sorted(f.after_s for f in self._drawn.of(Trouble.WORKER_ENDS))
        task = asyncio.create_task(self._workers(ends))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=ENDS_S)

    async def _workers(self, ends: list[float]) -> None:
        parts = wiring.Parts(
            self._catalogue, self.records, lambda _env, service: self.targets[service].target()
        )
        begun = time.monotonic()
        for until in [*ends, PATIENCE_S]:
            async with make_worker(self._client, self._settings, parts):
                await asyncio.sleep(max(0.0, begun + until - time.monotonic()))

    async def _happens(self, rollback: Rollback, fault: Fault) -> None:
        """A fault that comes from outside the targets, at its time."""
        await asyncio.sleep(fault.after_s)
        match fault.trouble:
            case Trouble.RECORDS_DOWN:
                self.records.left += fault.times
            case Trouble.HOLD | Trouble.RESTORE as kind:
                mode = AbortMode.HOLD if kind is Trouble.HOLD else AbortMode.RESTORE
                await _told(rollback.abort(AbortCommand(mode=mode, by="soak")))
            case Trouble.PAUSE:
                await _told(rollback.pause(PauseCommand(by="soak")))
                await asyncio.sleep(1.0)
                await _told(rollback.resume(PauseCommand(by="soak")))
            case Trouble.TWICE:
                request = RollbackRequest(
                    env=self._env, services=tuple(self.targets), key=self._key, requested_by="soak"
                )
                again = await self._client_of.start(request)
                assert again.id == rollback.id

    async def _desk(self, rollback: Rollback) -> None:
        """Whoever is asked retries a few times, then gives up."""
        while True:
            await asyncio.sleep(DESK_S)
            try:
                status = await rollback.status()
            except RollbackError:
                continue
            self.last = f"{status.state}, waits for {status.waits_for}"
            if status.state is State.NEEDS_HUMAN:
                await _told(self._answer(rollback, status))

    async def _answer(self, rollback: Rollback, status: RollbackStatus) -> None:
        waiting = [s for s in status.services if s.state is State.NEEDS_HUMAN]
        for service in waiting:
            step = next((s for s in reversed(service.steps) if s.state in WAITS), None)
            if step is None or not self._retries[service.service]:
                continue
            self._retries[service.service] -= 1
            command = StepCommand(step=step.name, by="soak")
            if (await rollback.step("retry_step", service.service, command)).applied:
                return
        if any(self._retries[service.service] for service in waiting):
            return
        mode = AbortMode.RESTORE if self._drawn.restores else AbortMode.HOLD
        await rollback.abort(AbortCommand(mode=mode, by="soak", reason="gives up"))


async def _told(message: Awaitable[None]) -> None:
    with contextlib.suppress(RollbackError):  # it has ended, or no worker answers
        await message


def _target(strategy: str, drawn: Drawn, number: int) -> Troubled:
    faults = [f for f in drawn.faults if f.service == number and f.trouble not in OF_THE_ROLLBACK]
    desired = drawn.desired
    stable = max(1, -(-3 * desired // 4))
    shares, running = {
        "canary": ({"v1": 75, "v2": 25}, {"v1": stable, "v2": max(1, desired - stable)}),
        "rolling_update": ({"v2": 100}, {"v1": 0, "v2": desired}),
    }.get(
        strategy,
        ({"v2": 100}, {"v1": random.Random(drawn.seed).randint(0, desired), "v2": desired}),
    )
    bad = any(f.trouble is Trouble.STILL_BAD for f in faults)
    return Troubled(
        shares_now=shares,
        running=running,
        maximum=2 * desired,
        error_ratio={"v2": 0.2, **({"v1": 0.2} if bad else {})},
        faults=tuple(faults),
    )


def _catalogue(env: str, strategies: dict[str, str]) -> Catalogue:
    """Addresses that lead nowhere and are never asked."""
    placed = {
        "workloads": {"kind": "supervisord", "socket": "/x", "program": "x"},
        "traffic": {"kind": "envoy", "admin": "http://127.0.0.1:1", "routes": "/x", "route": "x"},
    }
    services = {
        name: {"strategy": strategy, "environments": {env: placed}}
        for name, strategy in strategies.items()
    }
    return Catalogue.model_validate(
        {"version": 1, "environments": {env: {"policy": POLICY}}, "services": services}
    )


def _record(records: SqlRecords, env: str, services: list[str], desired: int) -> None:
    good = release("v1", Standing.VERIFIED, 60)
    assert good.restore_point is not None
    point = good.restore_point.model_copy(update={"instances": desired})
    for name in services:
        records.save_release(env, name, good.model_copy(update={"restore_point": point}))
        records.save_release(env, name, release("v2", Standing.CANDIDATE, 5))
