"""Incidents: tell one, look at one, answer one, list them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager import contract
from rollback_manager.client.refusals import explained, from_failure, reason
from rollback_manager.client.rollback import ANSWER_S
from rollback_manager.contract import INCIDENT_WORKFLOW, Answered, incident_id
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.incidents.incident_status import (
    IncidentOpening,
    IncidentStatus,
    IncidentVerdict,
    SeenIncident,
)
from rollback_manager.values import Value

TAKEN = timedelta(seconds=3)
"""Within this Temporal takes an alarm, or it is given again."""
SUMMARY_BYTES = 200
"""Of a line in Temporal's lists, which refuses more than 400."""


class ListedIncident(Value):
    """One incident as Temporal's visibility lists it; may lag a second behind.

    state: its status; of one that ended by Temporal's own hand (terminated, failed) that word.
    """

    incident: str
    state: str
    trigger: str
    started_at: datetime
    closed_at: datetime | None = None


async def give(client: Client, task_queue: str, alarm: Alarm) -> None:
    """Signal-with-start, id = the release: whatever number of alarms, it has one incident.

    Raises RPCError where Temporal does not take it.
    """
    words = f"{alarm.service} {alarm.version}: {alarm.evidence.words}"
    await client.start_workflow(
        INCIDENT_WORKFLOW,
        IncidentOpening(env=alarm.env, service=alarm.service, version=alarm.version),
        id=incident_id(alarm.env, alarm.service, alarm.version),
        task_queue=task_queue,
        start_signal="alarm",
        start_signal_args=[alarm],
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        search_attributes=_search_attributes(alarm),
        static_summary=words.encode()[:SUMMARY_BYTES].decode(errors="ignore"),
        rpc_timeout=TAKEN,
    )


class Incidents:
    """The incidents of a Temporal server."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def report(self, alarm: Alarm) -> None:
        """Open the release's incident, or join it; durable also while no worker runs."""
        try:
            await give(self._client, self._task_queue, alarm)
        except RPCError as error:
            raise explained(error, "the incident") from error

    async def runs(self, env: str, service: str, version: str) -> bool:
        """Whether an incident of that release is open; needs no worker."""
        try:
            known = await self._handle(env, service, version).describe(rpc_timeout=ANSWER_S)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise explained(error, "the incident") from error
        return known.status is WorkflowExecutionStatus.RUNNING

    async def first_run(self, env: str, service: str, version: str) -> str:
        """Id of the first run of the newest, to which words on it are signed. Needs no worker."""
        handle = self._handle(env, service, version)
        try:
            known = await handle.describe(rpc_timeout=ANSWER_S)
        except RPCError as error:
            raise _explained(error, env, handle.id) from error
        found: str = known.raw_description.workflow_execution_info.first_run_id
        return found

    async def seen(self, env: str, service: str, version: str) -> SeenIncident:
        """How it stands; of several of one release the newest. NotFound where there is none."""
        handle = self._handle(env, service, version)
        try:
            known = await handle.describe(rpc_timeout=ANSWER_S)
            return await _seen(handle, known)
        except WorkflowQueryFailedError as error:
            raise PermanentError(f"{handle.id} could not say how it stands: {error}") from error
        except WorkflowFailureError as error:
            raise from_failure(error) from error
        except RPCError as error:
            raise _explained(error, env, handle.id) from error

    async def changes(
        self, env: str, service: str, version: str, *, every_s: float = 0.3
    ) -> AsyncIterator[SeenIncident]:
        """How it stands, again and again; nothing while a worker is at it, or none is there."""
        handle = self._handle(env, service, version)
        while True:
            try:
                known = await handle.describe(rpc_timeout=ANSWER_S)
            except RPCError as error:
                raise _explained(error, env, handle.id) from error
            # Asked in the midst of its work, a worker without a cache would begin that anew.
            if not known.raw_description.HasField("pending_workflow_task"):
                yield await self.seen(env, service, version)
            await asyncio.sleep(every_s)

    async def decide(
        self, env: str, service: str, version: str, verdict: IncidentVerdict
    ) -> Answered:
        """A person's word. Where no worker answers, it is left as a signal."""
        handle = self._handle(env, service, version)
        try:
            answered: Answered = await handle.execute_update(
                "decide", verdict, result_type=Answered, rpc_timeout=ANSWER_S
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await self._leave(handle, verdict)
            because = "no worker answers: the word is stored and will be judged"
            return Answered(applied=False, because=because)
        except WorkflowUpdateFailedError as error:
            return Answered(applied=False, because=reason(error))
        except RPCError as error:
            raise _explained(error, env, handle.id) from error
        return answered

    async def list(self, *, env: str | None = None, limit: int = 50) -> list[ListedIncident]:
        """Incidents, newest first, running and ended."""
        query = f"WorkflowType = '{INCIDENT_WORKFLOW}'"
        if env is not None:
            query += f" AND RollbackEnv = '{contract.checked('environment', env)}'"
        try:
            found = self._client.list_workflows(query, limit=limit)
            return [_listed(run) async for run in found]
        except RPCError as error:
            raise explained(error) from error

    async def _leave(
        self, handle: WorkflowHandle[object, IncidentStatus], word: IncidentVerdict
    ) -> None:
        try:
            await handle.signal("decide", word, rpc_timeout=ANSWER_S)
        except RPCError as error:
            raise explained(error, handle.id) from error

    def _handle(
        self, env: str, service: str, version: str
    ) -> WorkflowHandle[object, IncidentStatus]:
        return self._client.get_workflow_handle(
            incident_id(env, service, version), result_type=IncidentStatus
        )


async def _seen(
    handle: WorkflowHandle[object, IncidentStatus], known: WorkflowExecutionDescription
) -> SeenIncident:
    """Of one that came to its end, what it said then: that needs no worker."""
    if known.status is WorkflowExecutionStatus.COMPLETED:
        return SeenIncident(status=await handle.result(), ended="completed")
    status: IncidentStatus = await handle.query(
        "status", result_type=IncidentStatus, rpc_timeout=ANSWER_S
    )
    return SeenIncident(status=status, ended=_cut_short(known))


def _cut_short(known: WorkflowExecution) -> str:
    """Temporal's word for an end that is not the incident's own; empty where there is none."""
    own = WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED, None
    return "" if known.status in own else str(known.status.name).lower()


def _listed(run: WorkflowExecution) -> ListedIncident:
    attributes = run.typed_search_attributes
    state = attributes.get(SearchAttributeKey.for_keyword("RollbackState"))
    trigger = attributes.get(SearchAttributeKey.for_keyword("RollbackTrigger"))
    return ListedIncident(
        incident=run.id,
        state=_cut_short(run) or state or "detected",
        trigger=trigger or "unknown",
        started_at=run.start_time,
        closed_at=run.close_time,
    )


def _explained(error: RPCError, env: str, id: str) -> Exception:
    if error.status is not RPCStatusCode.NOT_FOUND:
        return explained(error, id)
    return NotFound(
        f"there is no running or remembered {id}",
        effect="Production is unchanged by this call.",
        next_step=f"See what there is: rollback-manager incident list --env {env}",
    )


def _search_attributes(alarm: Alarm) -> TypedSearchAttributes:
    words = {
        "RollbackEnv": alarm.env,
        "RollbackService": alarm.service,
        "RollbackTrigger": str(alarm.evidence.trigger),
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
            for name, value in words.items()
        ]
    )
