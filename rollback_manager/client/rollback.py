"""One rollback: where it is, how it ended, and the commands that steer it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TypeVar

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistory,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from rollback_manager import contract
from rollback_manager.client.refusals import explained, from_failure, reason
from rollback_manager.contract import (
    AbortCommand,
    AbortMode,
    Answered,
    Decision,
    PauseCommand,
    RollbackRequest,
    StepCommand,
    Vote,
)
from rollback_manager.errors import NotFound, PermanentError, SignalsUsedUp
from rollback_manager.progress import RollbackOutcome, RollbackStatus, ServiceStatus, State
from rollback_manager.values import Value

T = TypeVar("T", bound=Value)

ANSWER_S = timedelta(seconds=10)
"""How long a running workflow may take to answer; with a worker it takes milliseconds."""

TOLD_BY_SERVICES = (State.NEEDS_HUMAN, State.RESTORING, State.PAUSED)
"""States that a service knows before its parent; the one that needs somebody first."""


class Rollback:
    """One rollback, to be watched and steered."""

    def __init__(self, client: Client, rollback_id: str) -> None:
        self.id = rollback_id
        self._client = client
        self._handle = client.get_workflow_handle(rollback_id, result_type=RollbackOutcome)

    async def status(self) -> RollbackStatus:
        """Where it is now, with every service's own word."""
        status = await self.by_itself()
        if status.state is State.FINISHED:
            return status
        services = await asyncio.gather(*(self._service(status, one) for one in status.services))
        seen = status.model_copy(update={"services": tuple(services)})
        told = next((s for state in TOLD_BY_SERVICES for s in services if s.state is state), None)
        if told is None or (len(services) > 1 and status.state is State.NEEDS_HUMAN):
            return seen  # of several that wait, the parent tells all
        return seen.model_copy(update={"state": told.state, "waits_for": told.waits_for})

    async def by_itself(self) -> RollbackStatus:
        """Where it is by its own word alone: one question, however many services it has."""
        return await self._query(self._handle, RollbackStatus)

    async def _service(self, status: RollbackStatus, service: ServiceStatus) -> ServiceStatus:
        """The child's own status, if the lock is held by this rollback and its turn has come."""
        if service.state is State.WAITING_FOR_ITS_WAVE:
            return service
        handle = self._client.get_workflow_handle(contract.service_id(status.env, service.service))
        try:
            own = await self._query(handle, ServiceStatus)
        except NotFound:
            return service
        return own if own.rollback == self.id else service

    async def _query(self, handle: WorkflowHandle[object, object], answer: type[T]) -> T:
        try:
            result: T = await handle.query("status", result_type=answer, rpc_timeout=ANSWER_S)
        except WorkflowQueryFailedError as error:
            raise PermanentError(f"{handle.id} could not say where it is: {error}") from error
        except RPCError as error:
            raise explained(error, handle.id) from error
        return result

    async def events(self, *, every_s: float = 0.5) -> AsyncIterator[RollbackStatus]:
        """The status whenever it has changed, until the rollback is finished (that one too)."""
        last: RollbackStatus | None = None
        while last is None or last.state is not State.FINISHED:
            status = await self.status()
            if status != last:
                yield status
            last = status
            if last.state is not State.FINISHED:
                await asyncio.sleep(every_s)

    async def result(self) -> RollbackOutcome:
        """How it ended; waits for the end."""
        try:
            outcome: RollbackOutcome = await self._handle.result()
        except WorkflowFailureError as error:
            raise from_failure(error) from error
        except RPCError as error:
            raise explained(error, self.id) from error
        return outcome

    async def vote(
        self,
        decision: Decision,
        vote: Vote,
        *,
        vote_id: str,
        confirm: str = "",
        incident: str = "",
    ) -> Answered:
        """Approve or reject. The same `vote_id` again gets the first answer.

        Where no worker answers, the vote is left as a signal: it counts once one is back. confirm,
        incident: what a gateway asks for from T2 on; the rollback itself does not.
        """
        try:
            answer: Answered = await self._handle.execute_update(
                str(decision), vote, id=vote_id, result_type=Answered, rpc_timeout=ANSWER_S
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await self._signal(str(decision), vote)
            return Answered(
                applied=False, because="no worker answers: the vote is stored and will be judged"
            )
        except WorkflowUpdateFailedError as error:
            return Answered(applied=False, because=reason(error))
        except RPCError as error:
            raise explained(error, self.id) from error
        return answer

    async def abort(self, command: AbortCommand) -> None:
        """Stop at the next safe point; durable even while no worker runs.

        Where Temporal takes no further signal, a hold goes to it as a cancel, which means the same
        and which nobody can sign. Raises SignalsUsedUp where it should have put back what was.
        """
        try:
            await self._signal("abort", command)
        except SignalsUsedUp:
            if command.mode is not AbortMode.HOLD:
                raise
            await self._cancel(f"for {command.by}: {command.reason}")

    async def pause(self, command: PauseCommand) -> None:
        """Finish the step under way, then wait."""
        await self._signal("pause", command)

    async def resume(self, command: PauseCommand) -> None:
        """Go on after a pause."""
        await self._signal("resume", command)

    async def step(self, verb: str, service: str, command: StepCommand) -> Answered:
        """`retry_step` or `skip_step` for what waits: a wave, or a step of that service."""
        env = self.id.split("/")[1]
        child = None if contract.is_of_rollback(command.step) else contract.service_id(env, service)
        handle = self._client.get_workflow_handle(child or self.id)
        try:
            answer: Answered = await handle.execute_update(
                verb, command, result_type=Answered, rpc_timeout=ANSWER_S
            )
        except WorkflowUpdateFailedError as error:
            return Answered(applied=False, because=reason(error))
        except RPCError as error:
            raise explained(error, handle.id) from error
        return answer

    async def request(self) -> RollbackRequest:
        """What it was started with, as the first event of its history keeps it."""
        context = WorkflowSerializationContext(self._client.namespace, self.id)
        converter = self._client.data_converter.with_context(context)
        try:
            events = self._handle.fetch_history_events(page_size=1)
            async for event in events:
                given = event.workflow_execution_started_event_attributes.input.payloads
                asked: list[RollbackRequest] = await converter.decode(given, [RollbackRequest])
                return asked[0]
        except RPCError as error:
            raise explained(error, self.id) from error
        raise NotFound(f"Temporal has no history of {self.id}")

    async def first_run(self) -> str:
        """Id of its first run, to which decisions are bound; a reset keeps it. Needs no worker."""
        try:
            known = await self._handle.describe(rpc_timeout=ANSWER_S)
        except RPCError as error:
            raise explained(error, self.id) from error
        found: str = known.raw_description.workflow_execution_info.first_run_id
        return found

    async def history(self) -> WorkflowHistory:
        """The events as Temporal keeps them: the evidence."""
        try:
            return await self._handle.fetch_history()
        except RPCError as error:
            raise explained(error, self.id) from error

    async def _cancel(self, reason: str) -> None:
        try:
            await self._handle.cancel(reason=reason, rpc_timeout=ANSWER_S)
        except RPCError as error:
            raise explained(error, self.id) from error

    async def _signal(self, name: str, command: Value) -> None:
        try:
            await self._handle.signal(name, command, rpc_timeout=ANSWER_S)
        except RPCError as error:
            raise explained(error, self.id) from error
