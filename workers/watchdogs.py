"""Every worker starts the watchdogs of its catalogue's environments; one of each runs at a time."""

import logging
from collections.abc import Iterable

from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError

from rollback_manager.claim import Watched
from rollback_manager.contract import WATCHDOG_WORKFLOW, watchdog_id
from rollback_manager.progress import State

log = logging.getLogger(__name__)


async def watch_over(client: Client, task_queue: str, envs: Iterable[str]) -> None:
    """See to it that a watchdog of each environment runs.

    A worker works without one, and `list` says then that orphans are not known.
    """
    for env in sorted(envs):
        try:
            await client.start_workflow(
                WATCHDOG_WORKFLOW,
                Watched(env=env),
                id=watchdog_id(env),
                task_queue=task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=_search_attributes(env),
                static_summary=f"orphans in {env}: what ended rollbacks left behind",
            )
        except RPCError as error:
            log.error("no watchdog was started", extra={"env": env, "because": error.message})


def _search_attributes(env: str) -> TypedSearchAttributes:
    words = {"RollbackEnv": env, "RollbackState": str(State.RUNNING)}
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
            for name, value in words.items()
        ]
    )
