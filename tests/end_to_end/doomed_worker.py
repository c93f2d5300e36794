"""A worker that dies, or freezes, at one named point: `python -m tests.end_to_end.doomed_worker`.

It is the product's own worker. The point is placed from outside: by an interceptor, and by
wrappers round the two roles that write. Nothing in the product knows of it.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from activities.targets import SharesAsSet, Target, Traffic, VersionState, Workloads
from rollback_manager.client import connect
from rollback_manager.operation import Mark
from rollback_manager.reading import Snapshot
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker, run_until

BEFORE, DURING, UNREPORTED, AFTER, FROZEN = "before", "during", "unreported", "after", "frozen"
POINTS = (BEFORE, DURING, UNREPORTED, AFTER, FROZEN)
"""before: the activity was given to this worker and has not begun. during: right after its write,
or at a look while it waits. unreported: it has returned and Temporal does not know. after: its
completion is in history and nothing else was scheduled. frozen: SIGSTOP right before its write."""
POLLS = {"drain": 2, "verify": 3}
"""What only waits dies at this look; all others die by their write."""


def die() -> None:
    """At once, with nothing tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


class Doom(Interceptor):
    """Dies before an activity, between its end and the report of it, or when the result is in."""

    def __init__(self, name: str, at: str) -> None:
        self.name, self.at = name, at

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Activities(next, self)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        doom = self

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_Commands(outbound, doom))

        return Inbound if self.at == AFTER else None


class _Activities(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, doom: Doom) -> None:
        super().__init__(next)
        self._doom = doom

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        ours = activity.info().activity_type == self._doom.name
        if ours and self._doom.at == BEFORE:
            die()
        result = await super().execute_activity(input)
        if ours and self._doom.at == UNREPORTED:
            die()
        return result


class _Commands(WorkflowOutboundInterceptor):
    """Dies where the workflow asks for whatever comes after the activity."""

    def __init__(self, next: WorkflowOutboundInterceptor, doom: Doom) -> None:
        super().__init__(next)
        self._doom = doom
        self._asked_for = False

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        self._note(input.activity)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        self._note(input.activity)
        return super().start_local_activity(input)

    def _note(self, name: str) -> None:
        if self._asked_for:
            die()
        self._asked_for = name == self._doom.name


class _Doomed:
    """What both roles share: whether now is the time."""

    def __init__(self, name: str, at: str) -> None:
        self._name, self._at, self._looks = name, at, 0

    def write_begins(self) -> bool:
        """Freeze right before the write. True: this is it, and somebody has thawed us."""
        if self._at != FROZEN or self._is_elsewhere():
            return False
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(0.05)  # the signal stops all threads, this one perhaps a moment later
        return True

    def write_landed(self) -> None:
        if self._at == DURING and not self._is_elsewhere():
            die()

    def looked(self) -> None:
        if self._at != DURING or self._name not in POLLS or self._is_elsewhere():
            return
        self._looks += 1
        if self._looks == POLLS[self._name]:
            die()

    def _is_elsewhere(self) -> bool:
        return not activity.in_activity() or activity.info().activity_type != self._name


class _Traffic:
    def __init__(self, real: Traffic, doomed: _Doomed) -> None:
        self._real, self._doomed = real, doomed

    def shares(self) -> SharesAsSet:
        return self._real.shares()

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        thawed = self._doomed.write_begins()
        try:
            self._real.set_shares(shares, mark, seen)
        except Exception as error:
            said(f"late write: {type(error).__name__}" if thawed else repr(error))
            raise
        if thawed:
            said("late write: let through")
        self._doomed.write_landed()

    def snapshot(self) -> Snapshot:
        return self._real.snapshot()

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        return self._real.by_hand(shares)


class _Workloads:
    def __init__(self, real: Workloads, doomed: _Doomed) -> None:
        self._real, self._doomed = real, doomed

    def versions(self) -> dict[str, VersionState]:
        found = self._real.versions()
        self._doomed.looked()
        return found

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        self._real.scale(version, instances, mark)
        self._doomed.write_landed()

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        return self._real.by_hand(version, instances)


def said(words: str) -> None:
    """A line that the bench reads."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201 -- it is how a process speaks


async def work(settings: Settings, name: str, at: str, begin: Path) -> None:
    """Everything ready, wait for the file `begin`, then work until the point."""
    parts, client = wiring.parts(settings), await connect()
    doomed, real = _Doomed(name, at), parts.targets

    def target(env: str, service: str) -> Target:
        found = real(env, service)
        return Target(
            traffic=_Traffic(found.traffic, doomed),
            workloads=_Workloads(found.workloads, doomed),
            journeys=found.journeys,
        )

    worker = make_worker(client, settings, replace(parts, targets=target), [Doom(name, at)])
    said("the doomed worker is ready")
    while not begin.exists():
        await asyncio.sleep(0.01)
    await run_until(asyncio.Event(), worker)


def main() -> None:
    """Until the point, and after a thaw until it is killed."""
    parser = argparse.ArgumentParser()
    for option in ("--catalogue", "--data", "--begin"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--task-queue", required=True)
    parser.add_argument("--activity", required=True)
    parser.add_argument("--at", choices=POINTS, required=True)
    options = parser.parse_args()
    settings = Settings(
        catalogue=options.catalogue, data=options.data, task_queue=options.task_queue
    )
    asyncio.run(work(settings, options.activity, options.at, options.begin))


if __name__ == "__main__":
    main()
