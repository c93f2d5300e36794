"""Strikes a worker at one request of one step: in the proxy, where the request is seen.

A worker that is killed or frozen before its write has sent it all the same: it is on its way, and
may arrive when others have long gone on.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable

from proof.faults import meets
from proof.faults.api_server import ApiProxy
from proof.faults.meets import Answer, Forward, Request
from proof.kill_matrix.announcing import BEGIN, END
from proof.kill_matrix.points import Fault, Moment, Point

LATE_S = 6.0
"""Above the 5 s that our client waits for an answer."""
ARRIVES_S = 4.0
"""How much later the write of a killed worker arrives: another one is at work by then."""
MOST_READS = 5
"""A reading request is drawn among the first of a step."""
HEARD = Answer(200, b"{}", {"Content-Type": "application/json"})


class Strike:
    """Takes the proxy over for one point. writes: whether the point's step writes here."""

    def __init__(self, proxy: ApiProxy, point: Point, *, writes: bool) -> None:
        self.struck = threading.Event()
        self.settled = threading.Event()
        """Nothing of it is under way any more."""
        self.where = ""
        """The request at which it struck."""
        self.late: int | None = None
        """What the API server said to a write that arrived late."""
        self._point, self._writes = point, writes
        self._draw = random.Random(point.seed)
        self._lock = threading.Lock()
        self._thawed = threading.Event()
        self._in_step = self._wrote = False
        self._reads = self._pid = 0
        self._due = self._drawn()
        proxy.meet(self._meet, times=1_000_000)

    def thaw(self) -> None:
        """Let what is held go on."""
        self._thawed.set()

    def _drawn(self) -> Callable[[Request], bool]:
        """Whether a request is the one of the point."""
        number = self._draw.randint(1, MOST_READS)
        match self._point.moment:
            case Moment.POLLING if self._writes:
                return lambda request: self._wrote and not request.writes
            case Moment.POLLING:
                return lambda request: self._reads > number
            case _ if not self._writes or self._draw.random() < 0.25:
                return lambda request: not request.writes and self._reads >= number
            case _:
                return lambda request: request.writes

    def _meet(self, request: Request, forward: Forward) -> Answer | None:
        if request.path == BEGIN:
            self._in_step, self._pid = True, int(request.query)
            return HEARD
        if request.path == END:
            return self._at_the_end()
        with self._lock:
            now = self._in_step and not self.struck.is_set() and self._is_due(request)
            if now:
                self._note(f"{request.method} {request.path}")
        if now:
            try:
                return self._strike(request, forward)
            finally:
                self.settled.set()
        answer = forward()
        self._wrote = self._wrote or (self._in_step and request.writes and answer.status < 300)
        return answer

    def _is_due(self, request: Request) -> bool:
        self._reads += not request.writes
        return self._due(request)

    def _note(self, where: str) -> None:
        self.where = where
        self.struck.set()

    def _at_the_end(self) -> Answer | None:
        """A step that asked for less than was drawn is struck when it has its result."""
        with self._lock:
            first = not self.struck.is_set()
            if first:
                self._note("the end of the step")
            self._in_step = False
        if first:
            self.settled.set()
        if first and not self._is_lost():
            return self._hit(HEARD)
        return HEARD

    def _strike(self, request: Request, forward: Forward) -> Answer | None:
        if self._point.moment is not Moment.BEFORE:
            return self._lose(request, forward) if self._is_lost() else self._hit(forward())
        if self._is_lost():
            return self._lose_request(request, forward)
        self._signal()
        if self._point.fault is Fault.FROZEN:
            self._thawed.wait()
        elif request.writes and self._draw.random() < 0.5:
            time.sleep(ARRIVES_S)
        else:
            return None
        answer = forward()
        if request.writes:
            self.late = answer.status
        return answer

    def _hit(self, answer: Answer) -> Answer | None:
        self._signal()
        if self._point.fault is Fault.FROZEN:
            self._thawed.wait()
            return answer
        return None

    def _signal(self) -> None:
        os.kill(self._pid, signal.SIGKILL if self._point.fault is Fault.KILLED else signal.SIGSTOP)

    def _is_lost(self) -> bool:
        return self._point.fault is Fault.LOST

    def _lose(self, request: Request, forward: Forward) -> Answer | None:
        """It has its effect; the answer is lost, or comes when nobody waits for it any more."""
        if self._draw.random() < 0.7:
            return meets.lost_answer(request, forward)
        return meets.late(LATE_S)(request, forward)

    def _lose_request(self, request: Request, forward: Forward) -> Answer | None:
        """It never arrives, or the API server is not able to take it."""
        ways = (
            meets.lost_request,
            meets.refusing(503, "the server is not able to handle the request"),
            meets.refusing(429, "too many requests", headers={"Retry-After": "1"}),
        )
        return self._draw.choice(ways)(request, forward)
