"""Which release an alert means that names no version: the newest one that is recorded."""

import asyncio
from datetime import datetime, timedelta

from rollback_manager.contract import ListReleases, ReleaseRequest
from starters.gateway.doors import Doors

FRESH = timedelta(seconds=10)
"""So long one answer serves all: a storm must not cost a question for each of its alerts."""
ANSWER_S = 5.0


class Newest:
    """The newest release of each service, as it was a few seconds ago."""

    def __init__(self, known: Doors) -> None:
        self._known = known
        self._asked: dict[tuple[str, str], tuple[datetime, asyncio.Task[str]]] = {}

    async def of(self, env: str, service: str) -> str:
        """Its version; empty where none is recorded. Raises Unreachable where nobody answers."""
        now, of = self._known.now(), (env, service)
        at, task = self._asked.get(of, (None, None))
        if at is None or task is None or now - at > FRESH or _failed(task):
            task = asyncio.create_task(self._ask(env, service))
            self._asked[of] = now, task
        return await asyncio.shield(task)

    async def _ask(self, env: str, service: str) -> str:
        ask = ReleaseRequest(ask=ListReleases(env=env, service=service))
        listed = await self._known.rollbacks.releases(ask, timeout_s=ANSWER_S)
        return listed.releases[0].version if listed.releases else ""


def _failed(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
