"""The layer around the app: what one caller, and all of them together, may take of the gateway.

From outside to inside: so many requests of an address, a small body that comes in time, so many at
work at once. What is refused costs nothing but its answer. How often one person may ask is `pace`:
here nobody knows yet who it is.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starters.gateway import bodies
from starters.gateway.bodies import Bodies
from starters.gateway.buckets import Buckets
from starters.gateway.lanes import LANES, Crowd, lane_of
from starters.gateway.problems import Problem, answer, simple

UNLIMITED = frozenset({"/healthz", "/readyz"})
"""Who looks whether it lives must hear of it most of all while it is busy."""
LATER = "Wait as long as Retry-After says. To stop a rollback: rollback-manager abort ROLLBACK"
TOO_OFTEN = simple(429, "too-often", "so many requests from one address in so short a time", LATER)
BUSY = simple(503, "busy", "it is at work for others, and enough of them wait already", LATER)
TOO_LONG = simple(
    503,
    "too-long",
    "it was given up, for it took too long",
    "See what has come of it: rollback-manager list",
)


class Limits:
    """The app within its limits. monotonic: a clock in seconds."""

    def __init__(self, app: ASGIApp, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._bodies = Bodies()
        self._crowds = {lane.name: Crowd(lane) for lane in LANES}
        self._buckets = {lane.name: Buckets(lane.rate, monotonic) for lane in LANES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have the app answer."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        lane = lane_of(scope["path"])
        if wait_s := self._buckets[lane.name].take(_address(scope)):
            await _refuse(TOO_OFTEN, scope, send, wait_s)
            return
        body = await self._bodies.read(scope, receive)
        if isinstance(body, bytes):
            try:
                await self._in_turn(
                    self._crowds[lane.name], scope, bodies.again(body, receive), send
                )
            finally:
                self._bodies.drop(body)
        elif body is not None:
            await _refuse(body, scope, send, 1 if body.status == 503 else 0)

    async def _in_turn(self, crowd: Crowd, scope: Scope, receive: Receive, send: Send) -> None:
        if not await crowd.enter():
            await _refuse(BUSY, scope, send, 1)
            return
        try:
            await self._in_time(crowd.lane.work_s, scope, receive, send)
        finally:
            crowd.leave()

    async def _in_time(self, work_s: float, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever an answer waits for, or whoever does not read it, ends with its time."""
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            async with asyncio.timeout(work_s):
                await self._app(scope, receive, noted)
        except TimeoutError:
            if not has_begun:
                await _refuse(TOO_LONG, scope, send)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _refuse(problem: Problem, scope: Scope, send: Send, after_s: float = 0) -> None:
    """Without a time after which it may be tried again, the connection ends: more may be coming."""
    again = {"Retry-After": str(max(1, round(after_s)))}
    await answer(problem, again if after_s else {"Connection": "close"})(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
