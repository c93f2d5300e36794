"""Kinds of requests, each with room of its own: a flood at one door takes nothing from another."""

import asyncio
import re
from typing import NamedTuple

from starters.gateway.buckets import Rate


class Lane(NamedTuple):
    """One kind of requests, and what it has for itself.

    paths: which they are. at_once: requests at work; waiting: those that may wait up to `wait_s`
    for one of these to end. work_s: until a request is given up, whatever it does. rate: of one
    address, before it is known who asks.
    """

    name: str
    paths: re.Pattern[str]
    at_once: int
    waiting: int
    wait_s: float
    work_s: float
    rate: Rate


DECISIONS = Lane(
    "decisions",
    re.compile(
        r"/api/v1/rollback/[^/]+/[^/]+/decisions"
        r"|/rollback/[^/]+/[^/]+/(approve|reject|abort|pause|resume|retry-step|skip-step)"
        r"|/slack/[a-z]+"
    ),
    at_once=32,
    waiting=64,
    wait_s=5,
    work_s=60,
    rate=Rate(per_s=50, burst=200),
)
ALERTS = Lane(
    "alerts",
    re.compile(r"/alerts/[a-z]+"),
    at_once=512,
    waiting=512,
    wait_s=5,
    work_s=60,
    rate=Rate(per_s=2000, burst=4000),
)
STREAMS = Lane(
    "streams",
    re.compile(r"/api/v1/rollback/[^/]+/[^/]+/events"),
    at_once=500,
    waiting=0,
    wait_s=0,
    work_s=3600,
    rate=Rate(per_s=20, burst=200),
)
OTHERS = Lane(
    "others",
    re.compile(r".*", re.DOTALL),
    at_once=32,
    waiting=64,
    wait_s=2,
    work_s=150,
    rate=Rate(per_s=50, burst=200),
)
LANES = (DECISIONS, ALERTS, STREAMS, OTHERS)
"""The first that fits. Figures of ours: one process answers some hundred requests a second, and a
team in the midst of an incident sends a few. A stream ends after an hour and is begun anew."""


def lane_of(path: str) -> Lane:
    """The lane of a request."""
    return next(lane for lane in LANES if lane.paths.fullmatch(path))


class Crowd:
    """Who is at work in a lane, and who waits for that."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._room = asyncio.Semaphore(lane.at_once)
        self._waiting = 0

    async def enter(self) -> bool:
        """Whether there is room, now or soon; who entered must leave."""
        if not self._room.locked():
            return await self._room.acquire()
        if self._waiting >= self.lane.waiting:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(self.lane.wait_s):
                return await self._room.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Make room for the next one."""
        self._room.release()
