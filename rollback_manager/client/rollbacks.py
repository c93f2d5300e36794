"""All rollbacks: plan, start, list; and the records of releases."""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Self, TypeVar

from temporalio.client import Client, WorkflowExecution, WorkflowFailureError
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from rollback_manager import contract
from rollback_manager.access import ClustersAsked, ClustersChecked
from rollback_manager.audit.asked import Answer as Audited
from rollback_manager.audit.asked import AuditRequest
from rollback_manager.claim import Left, Watched
from rollback_manager.client import stays, watch, watchdogs
from rollback_manager.client.budget import FleetBudget
from rollback_manager.client.connection import connect
from rollback_manager.client.incidents import Incidents
from rollback_manager.client.refusals import explained, from_failure, no_temporal
from rollback_manager.client.rollback import Rollback
from rollback_manager.contract import (
    AdoptRequest,
    Planned,
    ReleaseHold,
    ReleaseRequest,
    Releases,
    RollbackRequest,
)
from rollback_manager.decision.asked import Decisions, DecisionsRequest
from rollback_manager.deploys import DeployAnswer, DeployRequest
from rollback_manager.errors import PermanentError
from rollback_manager.glass import Glasses, GlassRequest
from rollback_manager.metrics.source_checks import SourcesAsked, SourcesChecked
from rollback_manager.progress import RollbackStatus, State
from rollback_manager.stays import StayStatus
from rollback_manager.values import Value
from rollback_manager.watch.watching import SeenWatch

T = TypeVar("T", bound=Value)

DEPLOYS_WITHIN_S = 30.0
"""A pipeline that waits for its gate: longer than two tries of a database that comes back."""
MOST_OF_ONE = 1900
"""Bytes of one search attribute; Temporal refuses a start with more than 2,048."""
OF_EACH = 4
"""Bytes that JSON adds to a name in a list."""


class Listed(Value):
    """One rollback as Temporal's visibility lists it; may lag a second behind."""

    rollback: str
    state: str
    services: tuple[str, ...]
    started_at: datetime
    closed_at: datetime | None = None


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

    async def answers(self) -> None:
        """Whether Temporal answers; raises Unreachable where it does not within two seconds."""
        try:
            await self.temporal.service_client.check_health(timeout=timedelta(seconds=2))
        except RPCError as error:
            raise no_temporal("the server") from error

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

    async def decisions(self, request: DecisionsRequest, *, timeout_s: float = 120) -> Decisions:
        """List, label, measure, train from or replay the recorded decisions."""
        question = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:16]
        asked_as = contract.decisions_id(request.ask.env, f"{request.ask.verb}-{question}")
        return await self._ask(contract.DECISIONS_WORKFLOW, request, asked_as, Decisions, timeout_s)

    async def audit(self, request: AuditRequest, *, timeout_s: float = 600) -> Audited:
        """Show, verify, export or prove by the audit chain."""
        question = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:16]
        asked_as = contract.audit_id(f"{request.ask.verb}-{question}")
        return await self._ask(contract.AUDIT_WORKFLOW, request, asked_as, Audited, timeout_s)

    async def deploys(self, request: DeployRequest) -> DeployAnswer:
        """Whether something may be deployed; or a freeze said, lifted or listed.

        Raises Unreachable where no worker, no Temporal or no records answer: never a yes.
        """
        question = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:16]
        asked_as = contract.deploys_id(request.ask.env, f"{request.ask.verb}-{question}")
        return await self._ask(
            contract.DEPLOYS_WORKFLOW, request, asked_as, DeployAnswer, DEPLOYS_WITHIN_S
        )

    async def glasses(self, request: GlassRequest, *, timeout_s: float = 60) -> Glasses:
        """Every break-glass of an environment; or note that one was reviewed."""
        question = hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:16]
        asked_as = contract.glasses_id(request.ask.env, f"{request.ask.verb}-{question}")
        return await self._ask(contract.GLASSES_WORKFLOW, request, asked_as, Glasses, timeout_s)

    async def checkup(self, asked: ClustersAsked, *, timeout_s: float = 60) -> ClustersChecked:
        """How the clusters of the catalogue stand, as the worker sees them."""
        asked_as = contract.checkup_id(asked.env)
        return await self._ask(
            contract.CHECKUP_WORKFLOW, asked, asked_as, ClustersChecked, timeout_s
        )

    async def sources(self, *, timeout_s: float = 30) -> SourcesChecked:
        """Whether the worker can read what the catalogue declares: metrics, business numbers."""
        return await self._ask(
            contract.SOURCES_WORKFLOW,
            SourcesAsked(),
            contract.SOURCES_ID,
            SourcesChecked,
            timeout_s,
        )

    async def start(self, request: RollbackRequest) -> Rollback:
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

    async def left(self, request: AdoptRequest, *, timeout_s: float = 60) -> Left:
        """What an ended rollback left of a service; or give that back, as it stands."""
        verb = "give-back" if request.give_back else "look"
        adopt_id = contract.adopt_id(request.env, request.service, verb)
        return await self._ask(contract.ADOPT_WORKFLOW, request, adopt_id, Left, timeout_s)

    async def orphans(
        self, *, env: str | None = None, also: Iterable[str] = ()
    ) -> tuple[Watched, ...]:
        """What the watchdog of that environment knows; of all that run, and of `also`, if None."""
        envs = [env] if env else [*also, *await watchdogs.environments(self.temporal)]
        return await watchdogs.watched(self.temporal, envs)

    async def stays(self, *, env: str | None = None) -> tuple[StayStatus, ...]:
        """What still looks after rollbacks that have ended."""
        return await stays.running(self.temporal, env)

    async def stays_after(self, ended: RollbackStatus) -> list[StayStatus]:
        """How it stands with the services of one rollback since it ended."""
        names = tuple(one.service for one in ended.services)
        return await stays.of(self.temporal, ended.rollback, ended.env, names)

    async def hold_run(self, env: str, service: str) -> str:
        """Id of the first run of what looks after a service. NotFound where nothing does."""
        return await stays.first_run(self.temporal, env, service)

    async def release_hold(self, env: str, service: str, command: ReleaseHold) -> None:
        """Have those given back who are held for a service, whatever they would do."""
        await stays.release(self.temporal, env, service, command)

    def rollback(self, rollback_id: str) -> Rollback:
        """A rollback by its id, `rollback/ENV/KEY`; the first question shows whether it exists."""
        return Rollback(self.temporal, rollback_id)

    @property
    def incidents(self) -> Incidents:
        """What is said of releases that may be bad, and people's answers."""
        return Incidents(self.temporal, self._task_queue)

    async def watch(self, env: str) -> SeenWatch:
        """What the watch of an environment watches, and what it says. NotFound: none runs."""
        return await watch.seen(self.temporal, env)

    def budget(self, env: str) -> FleetBudget:
        """The budget that all rollbacks of an environment share."""
        return FleetBudget(self.temporal, contract.checked("environment", env))

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
            raise from_failure(error) from error
        except RPCError as error:
            raise explained(error) from error
        return result


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
    fitting = _fitting(request.services)
    return TypedSearchAttributes([*pairs, SearchAttributePair(services, fitting)])


def _fitting(services: tuple[str, ...]) -> tuple[str, ...]:
    """The first that fit one attribute; each service's own workflow is found by its own name."""
    sizes = accumulate(len(name) + OF_EACH for name in services)
    return tuple(name for name, size in zip(services, sizes, strict=True) if size <= MOST_OF_ONE)


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
