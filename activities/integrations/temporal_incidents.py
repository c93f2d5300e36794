"""The role `Incidents` over the worker's own Temporal client."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager.client.incidents import TAKEN, give
from rollback_manager.contract import incident_id
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.alarms import Alarm

SPARE_S = 1.0


class TemporalIncidents:
    """Signal-with-start, id = the release: whatever number of alarms, it has one incident."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop, task_queue: str) -> None:
        self._client = client
        self._loop = loop
        self._task_queue = task_queue

    def alarm(self, alarm: Alarm) -> None:
        """Open the release's incident, or join it. Raises Unreachable; then it is given again."""
        self._wait_for(give(self._client, self._task_queue, alarm))

    def recovered(self, alarm: Alarm) -> None:
        """Tell the open incident; none is opened by good news. Raises Unreachable."""
        self._wait_for(self._told_where_open(alarm))

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        told = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            told.result(TAKEN.total_seconds() + SPARE_S)
        except TimeoutError as error:
            told.cancel()
            raise _silent("no answer in time") from error
        except RPCError as error:
            raise _silent(error.message) from error

    async def _told_where_open(self, alarm: Alarm) -> None:
        incident = incident_id(alarm.env, alarm.service, alarm.version)
        handle = self._client.get_workflow_handle(incident)
        try:
            await handle.signal("alarm", alarm, rpc_timeout=TAKEN)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # none was, or it has ended
                raise


def _silent(said: str) -> Unreachable:
    return Unreachable(
        f"Temporal did not take the alarm: {said[:300]}",
        effect="The alarm is given again; the release is watched on.",
        next_step="rollback-manager doctor",
    )
