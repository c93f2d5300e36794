"""Asks the watchdogs what was left behind. No answer is an answer of its own, never "nothing"."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import Client, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager import contract
from rollback_manager.claim import Watched
from rollback_manager.client.refusals import explained

ANSWER = timedelta(seconds=3)
RUNNING = f"WorkflowType = '{contract.WATCHDOG_WORKFLOW}' AND ExecutionStatus = 'Running'"
NONE_RUNS = "no watchdog runs; a worker starts one for each environment of its catalogue"


async def watched(client: Client, envs: Iterable[str]) -> tuple[Watched, ...]:
    """What each environment's watchdog knows, or why it is not known."""
    known = sorted(set(envs))
    if not known:
        return (Watched(env="", trouble=NONE_RUNS),)
    return tuple(await asyncio.gather(*(_asked(client, env) for env in known)))


async def environments(client: Client) -> list[str]:
    """Those for which a watchdog runs, as Temporal's visibility knows them."""
    try:
        return [run.id.partition("/")[2] async for run in client.list_workflows(RUNNING)]
    except RPCError as error:
        raise explained(error) from error


async def _asked(client: Client, env: str) -> Watched:
    handle = client.get_workflow_handle(contract.watchdog_id(env))
    try:
        known: Watched = await handle.query(
            "orphans",
            result_type=Watched,
            reject_condition=QueryRejectCondition.NOT_OPEN,
            rpc_timeout=ANSWER,
        )
    except WorkflowQueryRejectedError:
        return Watched(env=env, trouble=NONE_RUNS)
    except WorkflowQueryFailedError as error:
        return Watched(env=env, trouble=f"its watchdog cannot answer: {error}")
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Watched(env=env, trouble=NONE_RUNS)
        return Watched(env=env, trouble="its watchdog does not answer: does a worker run?")
    return known
