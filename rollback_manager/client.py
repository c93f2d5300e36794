"""Start, approve, pause, abort and follow rollbacks from any program. Async and typed.

    async with RollbackClient() as client:
        rollback = await client.start(RollbackRequest(...))
        async for status in rollback.events(): ...
        outcome = await rollback.result()

How a rollback ends is a value, never an exception; what cannot be asked at all is a RollbackError.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Self, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistory,
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
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import (
    ApplicationError,
    WorkflowAlreadyStartedError,
)
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager import contract
from rollback_manager.contract import (
    AbortCommand,
    Answered,
    Decision,
    PauseCommand,
    Planned,
    ReleaseRequest,
    Releases,
    RollbackRequest,
    StepCommand,
    Vote,
)
from rollback_manager.errors import NotFound, PermanentError, RollbackError, Unreachable
from rollback_manager.progress import RollbackOutcome, RollbackStatus, ServiceStatus, State
from rollback_manager.values import Value

T = TypeVar("T", bound=Value)

ANSWER_S = timedelta(seconds=10)
"""How long a running workflow may take to answer; with a worker it takes milliseconds."""
CONNECT_S = 3.0
"""A port that accepts and stays silent would be waited for without end; a server takes 10 ms."""


TOLD_BY_SERVICES = (State.NEEDS_HUMAN, State.RESTORING, State.PAUSED)
"""States that a service knows before its parent; the one that needs somebody first."""


class Listed(Value):
    """One rollback as Temporal's visibility lists it; may lag a second behind."""

    rollback: str
    state: str
    services: tuple[str, ...]
    started_at: datetime
    closed_at: datetime | None = None


async def connect() -> Client:
    """A Temporal client by `temporalio.envconfig`; localhost:7233 where nothing is set."""
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise _no_configuration(error) from error
    config.setdefault("target_host", "localhost:7233")
    try:
        async with asyncio.timeout(CONNECT_S):
            return await Client.connect(**config, data_converter=pydantic_data_converter)
    except ValueError as error:  # an address that is none
        raise _no_configuration(error) from error
    except (RuntimeError, TimeoutError) as error:
        raise _no_temporal(str(config["target_host"])) from error


def _no_configuration(error: Exception) -> PermanentError:
    return PermanentError(
        f"Temporal's client is set up wrongly: {error}",
        effect="Nothing was started by this call; production is unchanged.",
        next_step="Mend TEMPORAL_ADDRESS, TEMPORAL_PROFILE or the file of TEMPORAL_CONFIG_FILE.",
    )


class RollbackClient:
    """A connection to the Temporal server where rollbacks run.

    Connects by `connect`, or wraps a client that uses the Pydantic data converter.
    """

    def __init__(
        self, client: Client | None = None, *, task_queue: str = contract.TASK_QUEUE
    ) -> None:
        self._client = client
        self._task_queue = task_queue

    async def __aenter__(self) -> Self:
        """Connect, unless a client was given."""
        if self._client is None:
            self._client = await connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Temporal's connection ends with the process; there is nothing to close."""

    @property
    def temporal(self) -> Client:
        """The Temporal client below, for what this class does not offer."""
        if self._client is None:
            raise PermanentError("not connected: use `async with RollbackClient()`")
        return self._client

    async def plan(self, request: RollbackRequest, *, timeout_s: float = 30) -> Planned:
        """What a rollback would do now. Touches nothing."""
        plan_id = contract.plan_id(request.env, request.key)
        return await self._ask(contract.PLAN_WORKFLOW, request, plan_id, Planned, timeout_s)

    async def releases(self, request: ReleaseRequest, *, timeout_s: float = 120) -> Releases:
        """Record, mark or list releases."""
        ask = request.ask
        version = "list" if isinstance(ask, contract.ListReleases) else ask.version
        release_id = contract.release_id(ask.env, ask.service, version)
        return await self._ask(contract.RELEASE_WORKFLOW, request, release_id, Releases, timeout_s)

    async def start(self, request: RollbackRequest) -> "Rollback":
        """Start a rollback. The same key again is the same rollback, running or ended."""
        services = ", ".join(request.services)
        rollback_id = contract.rollback_id(request.env, request.key)
        try:
            await self.temporal.start_workflow(
                contract.ROLLBACK_WORKFLOW,
                request,
                id=rollback_id,
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=search_attributes(request),
                static_summary=f"{services} · {request.trigger} · by {request.requested_by}"[:200],
                static_details=request.reason or "No reason was given.",
            )
        except WorkflowAlreadyStartedError:
            pass  # it has ended under this key: the answer is how it ended
        except RPCError as error:
            raise explained(error) from error
        return self.rollback(rollback_id)

    def rollback(self, rollback_id: str) -> "Rollback":
        """A rollback by its id, `rollback/ENV/KEY`; the first question shows whether it exists."""
        return Rollback(self.temporal, rollback_id)

    async def list(self, *, env: str | None = None, limit: int = 50) -> list[Listed]:
        """Rollbacks, newest first, as Temporal's visibility knows them."""
        query = f"WorkflowType = '{contract.ROLLBACK_WORKFLOW}'"
        if env is not None:
            query += f" AND RollbackEnv = '{contract.checked('environment', env)}'"
        try:
            return [_listed(run) async for run in self.temporal.list_workflows(query, limit=limit)]
        except RPCError as error:
            raise explained(error) from error

    async def _ask(
        self, workflow: str, request: Value, id: str, answer: type[T], timeout_s: float
    ) -> T:
        """Run a short workflow to its end; the same question asked twice at once is asked once."""
        try:
            result: T = await self.temporal.execute_workflow(
                workflow,
                request,
                id=id,
                task_queue=self._task_queue,
                result_type=answer,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                execution_timeout=timedelta(seconds=timeout_s),
            )
        except WorkflowFailureError as error:
            raise _from_failure(error) from error
        except RPCError as error:
            raise explained(error) from error
        return result


class Rollback:
    """One rollback, to be watched and steered."""

    def __init__(self, client: Client, rollback_id: str) -> None:
        self.id = rollback_id
        self._client = client
        self._handle = client.get_workflow_handle(rollback_id, result_type=RollbackOutcome)

    async def status(self) -> RollbackStatus:
        """Where it is now, with every service's own word."""
        status = await self._query(self._handle, RollbackStatus)
        if status.state is State.FINISHED:
            return status
        services = [await self._service(status, service) for service in status.services]
        seen = status.model_copy(update={"services": tuple(services)})
        told = next((s for state in TOLD_BY_SERVICES for s in services if s.state is state), None)
        if told is None:
            return seen
        return seen.model_copy(update={"state": told.state, "waits_for": told.waits_for})

    async def _service(self, status: RollbackStatus, service: ServiceStatus) -> ServiceStatus:
        """The child's own status, if the lock is held by this rollback."""
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
            raise _from_failure(error) from error
        except RPCError as error:
            raise explained(error, self.id) from error
        return outcome

    async def vote(self, decision: Decision, vote: Vote, *, vote_id: str) -> Answered:
        """Approve or reject. The same `vote_id` again gets the first answer.

        Where no worker answers, the vote is left as a signal: it counts once one is back.
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
            return Answered(applied=False, because=_reason(error))
        except RPCError as error:
            raise explained(error, self.id) from error
        return answer

    async def abort(self, command: AbortCommand) -> None:
        """Stop at the next safe point; durable even while no worker runs."""
        await self._signal("abort", command)

    async def pause(self, command: PauseCommand) -> None:
        """Finish the step under way, then wait."""
        await self._signal("pause", command)

    async def resume(self, command: PauseCommand) -> None:
        """Go on after a pause."""
        await self._signal("resume", command)

    async def step(self, verb: str, service: str, command: StepCommand) -> Answered:
        """`retry_step` or `skip_step` for the step that waits for a person."""
        env = self.id.split("/")[1]
        handle = self._client.get_workflow_handle(contract.service_id(env, service))
        try:
            answer: Answered = await handle.execute_update(
                verb, command, result_type=Answered, rpc_timeout=ANSWER_S
            )
        except WorkflowUpdateFailedError as error:
            return Answered(applied=False, because=_reason(error))
        except RPCError as error:
            raise explained(error, handle.id) from error
        return answer

    async def history(self) -> WorkflowHistory:
        """The events as Temporal keeps them: the evidence."""
        try:
            return await self._handle.fetch_history()
        except RPCError as error:
            raise explained(error, self.id) from error

    async def _signal(self, name: str, command: Value) -> None:
        try:
            await self._handle.signal(name, command, rpc_timeout=ANSWER_S)
        except RPCError as error:
            raise explained(error, self.id) from error


def search_attributes(request: RollbackRequest) -> TypedSearchAttributes:
    """What Temporal's lists can be filtered by; the state is kept up to date by the workflow."""
    words = {
        "RollbackEnv": request.env,
        "RollbackState": str(State.PLANNING),
        "RollbackTrigger": request.trigger,
        "RollbackIncident": request.incident,
    }
    pairs = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        for name, value in words.items()
        if value
    ]
    services = SearchAttributeKey.for_keyword_list("RollbackServices")
    return TypedSearchAttributes([*pairs, SearchAttributePair(services, request.services)])


def explained(error: RPCError, id: str = "") -> RollbackError:
    """Temporal's refusal in our words."""
    match error.status:
        case RPCStatusCode.NOT_FOUND:
            return NotFound(
                f"there is no running or remembered {id or 'workflow'}: {error.message}",
                effect="Production is unchanged by this call.",
                next_step="See what there is: rollback-manager list",
            )
        case RPCStatusCode.UNAVAILABLE | RPCStatusCode.CANCELLED:
            return _no_temporal("the server")
        case RPCStatusCode.DEADLINE_EXCEEDED:
            return Unreachable(
                f"no worker answers for {id}",
                effect="What was started stays as it is and goes on when a worker is back.",
                next_step="Start one: rollback-manager worker (or serve)",
            )
        case _:
            return PermanentError(f"Temporal refused: {error.message}")


def _no_temporal(where: str) -> Unreachable:
    return Unreachable(
        f"Temporal does not answer at {where}",
        effect="Nothing was started by this call. Rollbacks that run go on once it is back.",
        next_step="Start it: rollback-manager serve; or name yours: TEMPORAL_ADDRESS=host:port",
    )


def _from_failure(error: WorkflowFailureError) -> RollbackError:
    """The innermost reason of a failed workflow; `an activity failed` alone helps nobody."""
    cause: BaseException | None = error.cause
    if isinstance(cause, TemporalTimeout):
        return Unreachable(
            "no answer in time: no worker runs, or what it asks does not answer it",
            effect="Production is unchanged by this call.",
            next_step="What is missing: rollback-manager doctor; or read the worker's log",
        )
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    if cause is None:
        return PermanentError(f"{error}: {error.cause}", next_step="rollback-manager doctor")
    effect, next_step = (*(str(detail) for detail in cause.details), "", "")[:2]
    return PermanentError(cause.message, effect=effect, next_step=next_step)


def _reason(error: WorkflowUpdateFailedError) -> str:
    return error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)


def _listed(run: WorkflowExecution) -> Listed:
    attributes = run.typed_search_attributes
    state = attributes.get(SearchAttributeKey.for_keyword("RollbackState"))
    services = attributes.get(SearchAttributeKey.for_keyword_list("RollbackServices"))
    return Listed(
        rollback=run.id,
        state=state or (run.status.name.lower() if run.status else "unknown"),
        services=tuple(services or ()),
        started_at=run.start_time,
        closed_at=run.close_time,
    )
