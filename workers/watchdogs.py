"""Every worker starts what watches its catalogue's environments; one of each runs at a time."""

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
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager.claim import Watched
from rollback_manager.client.refusals import explained
from rollback_manager.contract import WATCH_WORKFLOW, WATCHDOG_WORKFLOW, watch_id, watchdog_id
from rollback_manager.progress import State
from rollback_manager.watch.watching import Watch

IDS = {WATCHDOG_WORKFLOW: watchdog_id, WATCH_WORKFLOW: watch_id}

log = logging.getLogger(__name__)


async def watch_over(client: Client, task_queue: str, envs: Iterable[str]) -> None:
    """See to it that of each environment the claims and the releases are watched.

    A worker works without: `list` says then that orphans are not known, and nobody sees by himself
    that a release is bad. Where it may not even start these, it may do nothing: NotPermitted.
    """
    for env in sorted(envs):
        orphans = f"orphans in {env}: what ended rollbacks left behind"
        await _start(client, task_queue, env, WATCHDOG_WORKFLOW, Watched(env=env), orphans)
        releases = f"releases in {env}: is one of them bad?"
        await _start(client, task_queue, env, WATCH_WORKFLOW, Watch(env=env), releases)


async def _start(
    client: Client, task_queue: str, env: str, kind: str, seen: Watched | Watch, summary: str
) -> None:
    try:
        await client.start_workflow(
            kind,
            seen,
            id=IDS[kind](env),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=_search_attributes(env),
            static_summary=summary,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.PERMISSION_DENIED:
            # The SDK would try to poll for a minute more, and call itself ready meanwhile.
            raise explained(error) from error
        log.error("not watched", extra={"env": env, "kind": kind, "because": error.message})


def _search_attributes(env: str) -> TypedSearchAttributes:
    words = {"RollbackEnv": env, "RollbackState": str(State.RUNNING)}
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
            for name, value in words.items()
        ]
    )
