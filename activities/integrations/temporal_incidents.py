"""The role `Incidents` over the worker's own Temporal client."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError

from rollback_manager.alarms import Alarm
from rollback_manager.client.incidents import TAKEN, give
from rollback_manager.errors import Unreachable

SPARE_S = 1.0


class TemporalIncidents:
    """Signal-with-start, id = the release: whatever number of alarms, it has one incident."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop, task_queue: str) -> None:
        self._client = client
        self._loop = loop
        self._task_queue = task_queue

    def alarm(self, alarm: Alarm) -> None:
        """Open the release's incident, or join it. Raises Unreachable; then it is given again."""
        told = asyncio.run_coroutine_threadsafe(
            give(self._client, self._task_queue, alarm), self._loop
        )
        try:
            told.result(TAKEN.total_seconds() + SPARE_S)
        except TimeoutError as error:
            told.cancel()
            raise _silent("no answer in time") from error
        except RPCError as error:
            raise _silent(error.message) from error


def _silent(said: str) -> Unreachable:
    return Unreachable(
        f"Temporal did not take the alarm: {said[:300]}",
        effect="The alarm is given again; the release is watched on.",
        next_step="rollback-manager doctor",
    )
