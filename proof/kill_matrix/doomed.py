"""What makes a worker die, freeze or lose an answer at one point of one step.

The point is placed from outside: by an interceptor, and by wrappers round the two roles that
write. Nothing in the product knows of it. It strikes once in a process.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

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

from activities.step import Step
from activities.targets import InstanceState, SharesAsSet, Traffic, VersionState, Workloads
from proof.faults.proxy import Loss, ask
from proof.kill_matrix.points import Fault, Moment, Point
from rollback_manager.errors import RollbackError, Unreachable
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark

STRUCK, LATE = "struck: ", "late write: "
"""How the lines begin that the bench reads."""
LOOKS = 2
"""A step that only reads is struck at this look of it."""
WRITTEN = "startProcess|stopProcess"
ASKED = {"supervisord": "getAllProcessInfo|getAllConfigInfo", "envoy": "/stats|/config_dump"}
IN_STEP: ContextVar[bool] = ContextVar("in_step", default=False)
"""Whether this thread works for the step of the point."""


def said(words: str) -> None:
    """A line that the bench reads."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


class Doom:
    """Knows the point, whether now is the time, and what to do then."""

    def __init__(self, point: Point, control: Path) -> None:
        self.point = point
        self._control = control
        self._draw = random.Random(point.seed)
        self._spent = False
        self._looks = 0
        self._wrote = False

    def is_step(self, step: object) -> bool:
        """Whether that is the argument of the point's activity."""
        mine = self.point
        return (
            isinstance(step, Step)
            and step.mark.step == mine.step
            and step.action.name == mine.activity
        )

    def is_now(self, moment: Moment) -> bool:
        """Whether it is that moment of the point, for the first time in this process."""
        return self.point.moment is moment and not self._spent

    def strike(self) -> None:
        """Die or freeze here; returns only when somebody has thawed us."""
        self._spend()
        number = signal.SIGKILL if self.point.fault is Fault.KILLED else signal.SIGSTOP
        os.kill(os.getpid(), number)
        time.sleep(0.05)  # the signal stops all threads, this one perhaps a moment later

    def lose(self, server: str, loss: Loss, matching: str = "") -> None:
        """What the next such request of this worker meets at the proxy."""
        self._spend()
        ask(self._control, server, loss, matching)

    def lose_answer(self, server: str, matching: str) -> None:
        """The request arrives; what becomes of the answer is drawn."""
        ways = (Loss.ANSWER, Loss.ANSWER, Loss.RESET, Loss.SLOW, Loss.LATE)
        self.lose(server, self._draw.choice(ways[:-1] if matching == WRITTEN else ways), matching)

    def lose_call(self) -> None:
        """The write itself: raise as a client does whose call was lost."""
        self._spend()
        raise Unreachable(
            "the answer to the write was lost", effect="It may have been written, or not."
        )

    def _spend(self) -> None:
        self._spent = True
        said(f"{STRUCK}{self.point}")

    def looked(self) -> None:
        """The activity is about to look at its target once more."""
        if not IN_STEP.get():
            return
        self._looks += 1
        due = self._wrote if self.point.writes else self._looks >= LOOKS
        if not due or not self.is_now(Moment.POLLING):
            return
        if self.point.fault is not Fault.LOST:
            self.strike()
            return
        server = self._draw.choice(sorted(ASKED))
        self.lose_answer(server, ASKED[server])

    def wrote(self) -> None:
        """The step's write has landed."""
        self._wrote = True


class Dooming(Interceptor):
    """Strikes round an activity, or where the workflow asks for what comes after it."""

    def __init__(self, doom: Doom) -> None:
        self._doom = doom

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Round each activity."""
        return _Activities(next, self._doom)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Where a workflow gives its commands."""
        doom = self._doom

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_Commands(outbound, doom))

        recorded = doom.point.moment is Moment.RECORDED and doom.point.fault is not Fault.LOST
        return Inbound if recorded else None


class _Activities(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, doom: Doom) -> None:
        super().__init__(next)
        self._doom = doom

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        doom = self._doom
        if not (input.args and doom.is_step(input.args[0])):
            return await super().execute_activity(input)
        IN_STEP.set(True)
        self._begins()
        result = await super().execute_activity(input)
        self._ends()
        return result

    def _begins(self) -> None:
        point, doom = self._doom.point, self._doom
        reads = not point.writes
        if doom.is_now(Moment.BEFORE) and (reads or point.fault is Fault.KILLED):
            if point.fault is Fault.LOST:
                doom.lose("envoy", Loss.REQUEST, ASKED["envoy"])
            else:
                doom.strike()
        elif reads and point.fault is Fault.LOST and doom.is_now(Moment.EFFECT):
            doom.lose_answer("envoy", ASKED["envoy"])

    def _ends(self) -> None:
        point, doom = self._doom.point, self._doom
        if point.fault is Fault.LOST:
            if doom.is_now(Moment.RECORDED):
                doom.lose("temporal", Loss.CUT)
        elif not point.writes and doom.is_now(Moment.EFFECT):
            doom.strike()


class _Commands(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, doom: Doom) -> None:
        super().__init__(next)
        self._doom = doom
        self._asked_for = False

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        self._note(input.args)
        return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        self._note(input.args)
        return super().start_local_activity(input)

    def _note(self, args: Any) -> None:
        if self._asked_for and self._doom.is_now(Moment.RECORDED):
            self._doom.strike()
        self._asked_for = bool(args) and self._doom.is_step(args[0])


class DoomedTraffic:
    """The role of traffic with the point placed round its write."""

    def __init__(self, real: Traffic, doom: Doom) -> None:
        self._real, self._doom = real, doom

    def shares(self) -> SharesAsSet:
        """As the real one."""
        return self._real.shares()

    def split(self) -> dict[str, int]:
        """As the real one."""
        return self._real.split()

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """As the real one, struck before or after it. The route file has no proxy: it raises."""
        lost = self._doom.point.fault is Fault.LOST and IN_STEP.get()
        if lost and self._doom.is_now(Moment.BEFORE):
            self._doom.lose_call()
        _written(self._doom, lambda: self._real.set_shares(shares, mark, seen))
        if lost and self._doom.is_now(Moment.EFFECT):
            self._doom.lose_call()

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """As the real one."""
        return self._real.snapshot(max_age_s)

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        """As the real one."""
        return self._real.by_hand(shares)


class DoomedWorkloads:
    """The role of workloads with the point placed round its write and its looks."""

    def __init__(self, real: Workloads, doom: Doom) -> None:
        self._real, self._doom = real, doom

    def versions(self) -> dict[str, VersionState]:
        """As the real one; a step's looks are counted here."""
        self._doom.looked()
        return self._real.versions()

    def instances(self) -> tuple[InstanceState, ...]:
        """As the real one; no step asks."""
        return self._real.instances()

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """As the real one, struck before or after it; a lost answer is the proxy's doing."""
        doom = self._doom
        if doom.point.fault is Fault.LOST and IN_STEP.get():
            if doom.is_now(Moment.BEFORE):
                doom.lose("supervisord", Loss.REQUEST, WRITTEN)
            elif doom.is_now(Moment.EFFECT):
                doom.lose_answer("supervisord", WRITTEN)
        _written(doom, lambda: self._real.scale(version, instances, mark))

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        """As the real one."""
        return self._real.by_hand(version, instances)


def _written(doom: Doom, write: Callable[[], None]) -> None:
    """Make the write; freeze right before it, die or freeze right after it, if it is the time."""
    mine = IN_STEP.get() and doom.point.fault is not Fault.LOST
    thawed = mine and doom.is_now(Moment.BEFORE)
    if thawed:
        doom.strike()
    try:
        write()
    except RollbackError as error:
        if thawed:
            said(f"{LATE}{type(error).__name__}")
        raise
    if thawed:
        said(f"{LATE}let through")
    if IN_STEP.get():
        doom.wrote()
    if mine and doom.is_now(Moment.EFFECT):
        doom.strike()
