"""Rollbacks as their histories tell them: read once in a while, however many people look."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio.client import Client

from rollback_manager.errors import Unreachable
from rollback_manager.report import Report, build
from starters import history

KEPT = timedelta(seconds=2)
"""A history is read anew after so long; how a rollback stands is asked each time."""
MOST = 64
WITHIN_S = 8.0
"""For one history; a rollback of 200 services has one for each."""


@dataclass
class _Known:
    report: Report | None = None
    read_at: datetime | None = None
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class Told:
    """Reports by rollback; of many the newest."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def report(self, client: Client, rollback: str, now: datetime) -> Report:
        """What its history says, at most KEPT old. NotFound where there is none."""
        known = self._known.setdefault(rollback, _Known())
        self._known.move_to_end(rollback)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        async with known.reading:
            if known.report is None or known.read_at is None or now - known.read_at > KEPT:
                known.report, known.read_at = await _read(client, rollback), now
            return known.report


async def _read(client: Client, rollback: str) -> Report:
    try:
        async with asyncio.timeout(WITHIN_S):
            return build(await history.entries(client, rollback))
    except TimeoutError as error:
        raise Unreachable(
            f"the history of {rollback} was not there within {WITHIN_S:.0f} s",
            effect="Unchanged by this look. The rollback goes on.",
            next_step=f"Try again, or: rollback-manager status {rollback}",
        ) from error
