"""What happened in a run, as its users and its proxy saw it: nothing here asks the product."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path

from benchmarks.live.plan import LATE_MS, Users
from demo.load import Answer, read
from demo.scenarios import Scenario
from demo.stage import ShopWorld

EVERY_S = 0.1
"""Between two looks at the proxy: so exact are the moments of its changes."""


class Proxy:
    """What Envoy has in force for v2, looked at beside the product and without it."""

    def __init__(self, world: ShopWorld, share: int) -> None:
        """share: per cent that v2 was released with."""
        self._world, self._share = world, share
        self.changed_at: datetime | None = None
        self.away_at: datetime | None = None

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(OSError, HTTPException, ValueError):  # looked at again
                shares = await asyncio.to_thread(self._world.shares)
                self._note(shares.get("v2", 0), datetime.now(UTC))
            await asyncio.sleep(EVERY_S)

    def _note(self, share: int, at: datetime) -> None:
        if share != self._share:
            self.changed_at = self.changed_at or at
        if share == 0:
            self.away_at = self.away_at or at


def is_slow(answer: Answer, scenario: Scenario) -> bool:
    """Whether it took as long as the scenario's fault makes it."""
    slow_ms = scenario.bad.get("slow_ms")
    return slow_ms is not None and bool(answer.version) and answer.latency_ms >= slow_ms


def first_bad_at(
    answers: Iterable[Answer], scenario: Scenario, broke_at: datetime
) -> datetime | None:
    """When a user had the first bad answer of v2 that the fault explains; None if nobody had."""
    bad = (
        answer.sent_at + timedelta(milliseconds=answer.latency_ms)
        for answer in answers
        if answer.version == "v2"
        and answer.sent_at >= broke_at - timedelta(milliseconds=answer.latency_ms)
        and (answer.is_error or is_slow(answer, scenario))
    )
    return min(bad, default=None)


def users(answers: Iterable[Answer], scenario: Scenario, well_at: datetime | None = None) -> Users:
    """What became of these requests. well_at: when users were said to be well again."""
    every = list(answers)
    sent = [one for one in every if one.failed != "unsent"]
    return Users(
        total=len(sent),
        failed=sum(one.is_error and not one.is_by_us for one in sent),
        slow=sum(is_slow(one, scenario) and not one.is_error for one in sent),
        by_us=sum(one.is_by_us for one in sent),
        unsent=len(every) - len(sent),
        failed_when_well=sum(one.is_error for one in sent if well_at and one.sent_at >= well_at),
        late_of_good=None if scenario.good else _late_of_good(sent),
    )


def _late_of_good(sent: list[Answer]) -> float | None:
    theirs = [one for one in sent if one.version in ("v1", "")]
    late = sum(not one.version or one.latency_ms > LATE_MS for one in theirs)
    return round(late / len(theirs), 4) if theirs else None


def since(load: Path, released: datetime) -> list[Answer]:
    """All answers to requests sent since then."""
    return [answer for answer in read(load) if answer.sent_at >= released]
