"""Asks what looks after rollbacks that have ended; one that does not answer is left out."""

import asyncio
from datetime import timedelta

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager import contract
from rollback_manager.client.refusals import explained
from rollback_manager.stays import StayStatus

ANSWER = timedelta(seconds=3)
RUNNING = f"WorkflowType = '{contract.STAY_WORKFLOW}' AND ExecutionStatus = 'Running'"


async def running(client: Client, env: str | None) -> tuple[StayStatus, ...]:
    """Those of an environment that still look after something; of all environments if None."""
    only = f" AND RollbackEnv = '{contract.checked('environment', env)}'" if env else ""
    try:
        found = [run.id async for run in client.list_workflows(RUNNING + only)]
    except RPCError as error:
        raise explained(error) from error
    answers = await asyncio.gather(*(_asked(client, one) for one in sorted(found)))
    return tuple(answer for answer in answers if answer is not None)


async def of(
    client: Client, rollback: str, env: str, services: tuple[str, ...]
) -> list[StayStatus]:
    """What is known of these services after that rollback; nothing where a newer one ended."""
    asked = (_asked(client, contract.stay_id(env, service)) for service in services)
    found = await asyncio.gather(*asked)
    return [one for one in found if one is not None and one.staying.rollback == rollback]


async def release(client: Client, env: str, service: str, command: contract.ReleaseHold) -> None:
    """Have those given back who are held for a service. NotFound: nobody looks after it."""
    handle = client.get_workflow_handle(contract.stay_id(env, service))
    try:
        await handle.signal("release_hold", command)
    except RPCError as error:
        raise explained(error, handle.id) from error


async def first_run(client: Client, env: str, service: str) -> str:
    """Id of the first run of what looks after a service, to which words on it are signed."""
    handle = client.get_workflow_handle(contract.stay_id(env, service))
    try:
        known = await handle.describe(rpc_timeout=ANSWER)
    except RPCError as error:
        raise explained(error, handle.id) from error
    found: str = known.raw_description.workflow_execution_info.first_run_id
    return found


async def _asked(client: Client, workflow: str) -> StayStatus | None:
    handle = client.get_workflow_handle(workflow)
    try:
        status: StayStatus = await handle.query(
            "status", result_type=StayStatus, rpc_timeout=ANSWER
        )
    except WorkflowQueryFailedError:
        return None
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.CANCELLED}:
            return None
        if error.status is RPCStatusCode.DEADLINE_EXCEEDED:
            return None
        raise explained(error, workflow) from error
    return status
