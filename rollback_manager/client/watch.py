"""Asks the watch of an environment what it sees. No answer is never "all is well"."""

from datetime import UTC

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager import contract
from rollback_manager.client.opened import opened
from rollback_manager.client.refusals import explained
from rollback_manager.client.rollback import ANSWER_S
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.watch.watching import SeenWatch, Watch


async def seen(client: Client, env: str) -> SeenWatch:
    """What it watches by its own word, and what its last beat said of each release.

    Raises NotFound where none runs, Unreachable where no worker answers.
    """
    handle = client.get_workflow_handle(contract.watch_id(env))
    try:
        known = await handle.describe(rpc_timeout=ANSWER_S)
        if known.status is not WorkflowExecutionStatus.RUNNING:
            raise _none_runs(env)
        watch: Watch = await handle.query("watched", result_type=Watch, rpc_timeout=ANSWER_S)
    except WorkflowQueryFailedError as error:
        raise PermanentError(f"{handle.id} could not say what it sees: {error}") from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise _none_runs(env) from error
        raise explained(error, handle.id) from error
    return await _with_beat(client, SeenWatch(watch=watch), known)


async def _with_beat(
    client: Client, seen: SeenWatch, known: WorkflowExecutionDescription
) -> SeenWatch:
    (looks, *_) = [*known.raw_description.pending_activities, PendingActivityInfo()]
    changes: dict[str, object] = {}
    if looks.HasField("last_failure"):
        failure = await opened(client, looks.last_failure)
        changes["trouble"] = f"attempt {looks.attempt}: {failure.message}"
    if looks.HasField("last_heartbeat_time"):
        changes["looked_at"] = looks.last_heartbeat_time.ToDatetime(tzinfo=UTC)
    if looks.HasField("heartbeat_details"):
        payloads = looks.heartbeat_details.payloads
        told: list[Watch] = await client.data_converter.decode(payloads, [Watch])
        changes["watch"] = seen.watch.with_news(told[0])
    return seen.model_copy(update=changes)


def _none_runs(env: str) -> NotFound:
    return NotFound(
        f"nothing watches the releases of {env}",
        effect="A bad release there is noticed by nobody; production is unchanged by this call.",
        next_step="A worker starts the watch of each environment of its catalogue:"
        " rollback-manager serve (or worker) --catalogue FILE",
    )
