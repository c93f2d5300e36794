"""What ours is compared with: the same calls, with as little around them as Temporal allows.

No plan to agree to, no guard, no lock, no child, no pause, no abort, no evidence: five activities
one after the other, each with the calls of our step of that name. What ours asks before and after
its steps (look, releases, earlier rollbacks, claim; look, standing, record) is made in the first
and in the last of the five. `by_asyncio` makes the same calls without Temporal.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from temporalio import activity, workflow

from activities.claims import Claims
from activities.records import PastRollback, Records
from activities.targets import Target, Targets
from rollback_manager.operation import Mark
from rollback_manager.progress import EndState, ServiceOutcome
from rollback_manager.release import Standing
from rollback_manager.values import Value

WITHIN = timedelta(seconds=30)


class Task(Value):
    """Which service goes back."""

    env: str
    service: str
    rollback: str
    epoch: int = 0


class Book(Records, Claims, Protocol):
    """Records and claims, which one table holds."""


class Calls:
    """The calls of a rollback of one service, in five parts."""

    def __init__(self, targets: Targets, records: Book) -> None:
        self._targets = targets
        self._records = records
        self._pool = ThreadPoolExecutor(max_workers=100)

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """All of them, for a worker."""
        return [self.write, self.prepare, self.redirect, self.drain, self.verify, self.remove]

    @activity.defn(name="bench-write")
    def write(self, task: Task) -> None:
        """The one call that returns the traffic, and nothing else."""
        self._targets(task.env, task.service).traffic.set_shares({"v1": 100}, _mark(task, 1))

    @activity.defn(name="bench-prepare")
    def prepare(self, task: Task) -> int:
        """The look and the records that a plan rests on; the claim; the warm version is there."""
        self._look(task)
        self._records.releases(task.env, task.service)
        self._records.past(task.env, task.service)
        epoch = self._records.claim(task.env, task.service, task.rollback)
        self._look(task)
        return epoch

    @activity.defn(name="bench-redirect")
    def redirect(self, task: Task) -> None:
        """Look, write, look."""
        self._look(task)
        self._targets(task.env, task.service).traffic.set_shares({"v1": 100}, _mark(task, 1))
        self._look(task)

    @activity.defn(name="bench-drain")
    def drain(self, task: Task) -> None:
        """Look twice."""
        self._look(task)
        self._look(task)

    @activity.defn(name="bench-verify")
    def verify(self, task: Task) -> None:
        """Look twice and make the journeys."""
        self._look(task)
        self._look(task)
        self._targets(task.env, task.service).journeys.run()

    @activity.defn(name="bench-remove")
    def remove(self, task: Task) -> None:
        """Look, write, look; then what is kept of it."""
        self._look(task)
        self._targets(task.env, task.service).workloads.scale("v2", 0, _mark(task, 4))
        self._look(task)
        self._look(task)
        self._records.mark_release(task.env, task.service, "v2", Standing.BAD, "undone", None)
        self._records.close(task.env, task.rollback, *_ending(task.service))

    def _look(self, task: Task) -> None:
        target = self._targets(task.env, task.service)
        reads: tuple[Callable[[], object], ...] = _reads(target)
        for answer in [self._pool.submit(read) for read in reads]:
            answer.result()

    async def by_asyncio(self, task: Task) -> None:
        """All five parts without Temporal: what a script would do, and forget when it dies."""
        step = asyncio.to_thread
        task = task.model_copy(update={"epoch": await step(self.prepare, task)})
        for part in (self.redirect, self.drain, self.verify, self.remove):
            await step(part, task)


def _reads(target: Target) -> tuple[Callable[[], object], ...]:
    return target.traffic.shares, target.traffic.snapshot, target.workloads.versions


def _mark(task: Task, step: int) -> Mark:
    return Mark(op_id=f"{task.rollback}/{step}", epoch=task.epoch, step=step)


def _ending(service: str) -> tuple[ServiceOutcome, PastRollback]:
    outcome = ServiceOutcome(
        service=service, end=EndState.ROLLED_BACK, verified=True, because="all steps are done"
    )
    past = PastRollback(
        strategy="blue_green",
        verified=True,
        traffic_back_s=0.1,
        verified_s=0.2,
        finished_at=datetime.now(UTC),
    )
    return outcome, past


@workflow.defn
class OneActivity:
    """The shortest way to the write that Temporal offers."""

    @workflow.run
    async def run(self, task: Task) -> None:
        """Write."""
        await workflow.execute_activity_method(Calls.write, task, start_to_close_timeout=WITHIN)


@workflow.defn
class FiveActivities:
    """The same calls as a rollback, one activity after the other."""

    @workflow.run
    async def run(self, task: Task) -> None:
        """Prepare, redirect, drain, verify, remove."""
        epoch = await workflow.execute_activity_method(
            Calls.prepare, task, start_to_close_timeout=WITHIN
        )
        task = task.model_copy(update={"epoch": epoch})
        for part in (Calls.redirect, Calls.drain, Calls.verify, Calls.remove):
            await workflow.execute_activity_method(part, task, start_to_close_timeout=WITHIN)
