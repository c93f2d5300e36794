"""The role `Runs` over the worker's own Temporal client."""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager.contract import ROLLBACK_WORKFLOW, checked
from rollback_manager.errors import Unreachable

ANSWER = timedelta(seconds=3)
"""Below the heartbeat time-out, and below the 5 s of a local activity."""
SPARE_S = 1.0
MOST_LISTED = 10
"""Rollbacks of one service at once: one holds it, and the others are about to be refused."""


class TemporalRuns:
    """Asked from the threads of activities; answers over the loop to which the client belongs."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def started_by(self, workflow_id: str) -> str | None:
        """Id of the workflow that started the one of this id; None when none of it runs now.

        Raises Unreachable when Temporal does not say: that is not the same as "none runs".
        """
        asked = asyncio.run_coroutine_threadsafe(self._described(workflow_id), self._loop)
        try:
            return asked.result(ANSWER.total_seconds() + SPARE_S)
        except TimeoutError as error:
            asked.cancel()
            raise _silent(workflow_id, "no answer in time") from error

    def rollbacks(self, env: str, service: str) -> tuple[str, ...]:
        """Ids of the rollbacks of a service that have not ended, whatever they wait for.

        From Temporal's lists, which may lag by a second. Raises Unreachable when it does not say.
        """
        asked = asyncio.run_coroutine_threadsafe(self._listed(env, service), self._loop)
        try:
            return asked.result(ANSWER.total_seconds() + SPARE_S)
        except TimeoutError as error:
            asked.cancel()
            raise _silent(f"a rollback of {service}", "no answer in time") from error

    async def _listed(self, env: str, service: str) -> tuple[str, ...]:
        query = (
            f"WorkflowType = '{ROLLBACK_WORKFLOW}' AND ExecutionStatus = 'Running'"
            f" AND RollbackEnv = '{checked('environment', env)}'"
            f" AND RollbackServices = '{checked('service', service)}'"
        )
        found = self._client.list_workflows(query, limit=MOST_LISTED, rpc_timeout=ANSWER)
        try:
            return tuple([run.id async for run in found])
        except RPCError as error:
            raise _silent(f"a rollback of {service}", error.message) from error

    async def _described(self, workflow_id: str) -> str | None:
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            seen = await handle.describe(rpc_timeout=ANSWER)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise _silent(workflow_id, error.message) from error
        runs = seen.status is WorkflowExecutionStatus.RUNNING
        return (seen.parent_id or "") if runs else None


def _silent(workflow_id: str, said: str) -> Unreachable:
    return Unreachable(
        f"Temporal does not say whether {workflow_id} runs: {said[:300]}",
        effect="Nothing was changed by this question.",
        next_step="It is asked again by itself; look: rollback-manager doctor",
    )
