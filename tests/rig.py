"""A worker on the real Temporal server, with stand-ins behind it: for tests of order."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import client as temporal
from temporalio import worker as temporal_worker
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker
from temporalio.workflow import ChildWorkflowHandle

from activities.audit import Chain
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from proof.converting import NAMESPACE, data_converter
from proof.stand_ins import StandInService
from rollback_manager import contract
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import Decision, RollbackRequest, StepCommand, Vote
from rollback_manager.progress import (
    EndState,
    RollbackOutcome,
    RollbackStatus,
    ServiceStatus,
    State,
)
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from workers import wiring
from workers.failures import Failures
from workers.plugin import plugin, runner
from workers.settings import Settings
from workers.worker import make_worker
from workflows.service_rollback import ServiceRollbackWorkflow

POLICY: dict[str, object] = {
    "approval": {"required": False, "deadline_s": 30},
    # Stand-ins count by looks, not by time: how many requests a second that is says nothing.
    "verification": {"min_window_s": 0, "max_window_s": 5, "throughput_floor": 0},
    "slices": {"min_s": 0, "max_s": 3},
    "timeouts": {
        "prepare_s": 3,
        "redirect_traffic_s": 3,
        "stop_batch_s": 3,
        "drain_s": 3,
        "heartbeat_s": 2,
    },
}
"""Real durations of a second or two instead of a fake clock."""

STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED

TASK = timedelta(seconds=1)

PATIENCE_S = 60
"""How long a test waits for a state: many times what it takes on a loaded machine."""


class _QuickTasks(temporal.Interceptor, temporal_worker.Interceptor):
    """Workflow tasks that are lost come again after a second, not after Temporal's ten.

    Without a cache the SDK throws a task away when another one arrives while its local activity
    runs: it must be able to, but a test need not wait for it.
    """

    def intercept_client(self, next: temporal.OutboundInterceptor) -> temporal.OutboundInterceptor:
        return _QuickStarts(next)

    def workflow_interceptor_class(
        self, input: temporal_worker.WorkflowInterceptorClassInput
    ) -> type[temporal_worker.WorkflowInboundInterceptor]:
        return _QuickChildren


class _QuickStarts(temporal.OutboundInterceptor):
    async def start_workflow(
        self, input: temporal.StartWorkflowInput
    ) -> WorkflowHandle[object, object]:
        return await super().start_workflow(replace(input, task_timeout=TASK))


class _QuickChildren(temporal_worker.WorkflowInboundInterceptor):
    def init(self, outbound: temporal_worker.WorkflowOutboundInterceptor) -> None:
        super().init(_QuickChildStarts(outbound))


class _QuickChildStarts(temporal_worker.WorkflowOutboundInterceptor):
    async def start_child_workflow(
        self, input: temporal_worker.StartChildWorkflowInput
    ) -> ChildWorkflowHandle[object, object]:
        return await super().start_child_workflow(replace(input, task_timeout=TASK))


@dataclass
class Rig:
    """One service of its own name, so that no two tests share a lock."""

    client: Client
    service: str
    world: StandInService
    records: SqlRecords
    settings: Settings
    policy: dict[str, object]
    cached: int
    strategy: str = "blue_green"
    decisions: dict[str, object] = field(default_factory=dict)
    audit: Chain | None = None
    fit: Callable[[wiring.Parts], wiring.Parts] = lambda parts: parts
    """What a test adds to the parts."""

    @property
    def rollbacks(self) -> RollbackClient:
        """The product's own client."""
        return RollbackClient(self.client, task_queue=self.settings.task_queue)

    @property
    def parts(self) -> wiring.Parts:
        """What activities work with."""
        parts = wiring.Parts(
            catalogue(self.service, self.policy, self.strategy, self.decisions),
            self.records,
            lambda _env, _s: self.world.target(),
            audit=self.audit,
        )
        return self.fit(parts)

    def worker(self) -> Worker:
        """A worker; several may run at once."""
        return make_worker(self.client, self.settings, self.parts, max_cached_workflows=self.cached)

    def activities(self) -> Sequence[Callable[..., Any]]:
        """All of them, wired as a worker wires them."""
        temporal = wiring.temporal(self.client, self.settings.task_queue)
        return wiring.activities(self.parts, temporal)

    def activity_worker(self) -> Worker:
        """Carries steps out, and takes no workflow task."""
        return Worker(
            self.client,
            task_queue=self.settings.task_queue,
            activities=wiring.activities(
                self.parts, wiring.temporal(self.client, self.settings.task_queue)
            ),
            activity_executor=ThreadPoolExecutor(),
            interceptors=[Failures()],
            max_heartbeat_throttle_interval=timedelta(seconds=1),
        )

    def workflow_worker(self) -> Worker:
        """Takes workflow tasks with their short work, and carries no step out."""
        return Worker(
            self.client,
            task_queue=self.settings.task_queue,
            plugins=[
                plugin(
                    wiring.activities(
                        self.parts, wiring.temporal(self.client, self.settings.task_queue)
                    )
                )
            ],
            activity_executor=ThreadPoolExecutor(),
            max_cached_workflows=self.cached,
            no_remote_activities=True,
        )

    def worker_of_the_service_alone(self) -> Worker:
        """Knows the service's workflow, and fails each task of the rollback's own."""
        return Worker(
            self.client,
            task_queue=self.settings.task_queue,
            workflows=[ServiceRollbackWorkflow],
            workflow_runner=runner(),
            activities=wiring.activities(
                self.parts, wiring.temporal(self.client, self.settings.task_queue)
            ),
            activity_executor=ThreadPoolExecutor(),
            interceptors=[Failures()],
            max_cached_workflows=self.cached,
        )

    def request(self, **more: object) -> RollbackRequest:
        """A request for this service, with a key of its own."""
        words = {
            "env": "test",
            "services": (self.service,),
            "key": f"k-{uuid.uuid4().hex[:8]}",
            "requested_by": "test",
        }
        return RollbackRequest.model_validate({**words, **more})

    async def start(self, **more: object) -> Rollback:
        """Start a rollback of this service."""
        return await self.rollbacks.start(self.request(**more))

    @contextlib.asynccontextmanager
    async def at_work(self, **policy: object) -> AsyncIterator["Rig"]:
        """The same rig under another policy, with a worker as long as the context lasts."""
        other = with_policy(self, **policy)
        async with other.worker():
            yield other

    def child(self) -> WorkflowHandle[object, object]:
        """The service's own workflow, the newest of its id."""
        return self.client.get_workflow_handle(contract.service_id("test", self.service))

    async def until(
        self, rollback: Rollback, holds: Callable[[RollbackStatus], bool] | State
    ) -> RollbackStatus:
        """The first status of that state, or of which that holds; asked for again and again."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await self.at_rest(rollback):
                    status = await rollback.status()
                    if status.state is holds if isinstance(holds, State) else holds(status):
                        return status
                await asyncio.sleep(0.05)

    async def at_rest(self, rollback: Rollback) -> bool:
        """No workflow task is under way: without a cache a query would throw it away for 10 s."""
        for handle in (self.client.get_workflow_handle(rollback.id), self.child()):
            try:
                seen = await handle.describe()
            except RPCError:
                continue  # there is no child yet
            if seen.raw_description.HasField("pending_workflow_task"):
                return False
        return True

    async def step_runs(self, name: str) -> None:
        """Until the activity of the service's step of that name is under way."""
        async with asyncio.timeout(PATIENCE_S):
            while name not in await self.running():
                await asyncio.sleep(0.05)

    async def told(self, signal: str, times: int = 1) -> None:
        """Until that signal is in the history of the service's workflow, so often."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._signals(signal) < times:
                await asyncio.sleep(0.05)

    async def _signals(self, name: str) -> int:
        events = (await self.child().fetch_history()).events
        told = (event.workflow_execution_signaled_event_attributes for event in events)
        return sum(one.signal_name == name for one in told)

    async def asked_to_cancel(self, handle: WorkflowHandle[Any, Any]) -> None:
        """Until its history says that somebody asked for a cancel."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(
                event.HasField("workflow_execution_cancel_requested_event_attributes")
                for event in (await handle.fetch_history()).events
            ):
                await asyncio.sleep(0.05)

    async def step_completed(self, name: str) -> None:
        """Until the activity of that step has answered."""
        async with asyncio.timeout(PATIENCE_S):
            while name in [one.activity_type.name for one in await self._due()]:
                await asyncio.sleep(0.05)

    async def step_failed_once(self, name: str) -> None:
        """Until an attempt at that step has failed and another one is due."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(
                a.activity_type.name == name and a.attempt > 1 for a in await self._due()
            ):
                await asyncio.sleep(0.05)

    async def running(self) -> list[str]:
        """Activities of the service's steps under way that nobody has asked to stop."""
        return [one.activity_type.name for one in await self._due() if one.state == STARTED]

    async def _due(self) -> Sequence[PendingActivityInfo]:
        try:
            return (await self.child().describe()).raw_description.pending_activities
        except RPCError:
            return ()  # there is no child yet

    async def child_status(self) -> ServiceStatus:
        """The service's own word, also after its end."""
        status: ServiceStatus = await self.child().query("status", result_type=ServiceStatus)
        return status

    async def answer(self, rollback: Rollback, verb: str, step: str) -> contract.Answered:
        """`retry_step` or `skip_step` by update."""
        command = StepCommand(step=step, by="anna", reason="mended")
        return await rollback.step(verb, self.service, command)

    async def approve(self, rollback: Rollback, **more: str) -> contract.Answered:
        """Approve by update, quoting the plan that waits."""
        digest = (await rollback.status()).digest
        vote = Vote.model_validate({"plan": digest, "by": "anna", **more})
        return await rollback.vote(Decision.APPROVE, vote, vote_id=uuid.uuid4().hex)

    async def search_state(self, rollback: Rollback) -> str | None:
        """The state by which Temporal's lists can be filtered."""
        seen = await self.client.get_workflow_handle(rollback.id).describe()
        return seen.typed_search_attributes.get(SearchAttributeKey.for_keyword("RollbackState"))

    async def until_listed_as(self, rollback: Rollback, state: str) -> None:
        """Until the rollback's own search attribute says so: a service tells it by a signal."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.search_state(rollback) != state:
                await asyncio.sleep(0.05)

    async def ends_as(self, rollback: Rollback, end: EndState) -> RollbackOutcome:
        """The outcome, once what it declares was found to be so and the histories replayed."""
        outcome = await rollback.result()
        if outcome.services:
            (service,) = outcome.services
            assert service.end is end, service
            assert service.found is not None
            assert service.found.shares == self.world.shares_now
            assert service.found.ready == {v: self.world.able(v) for v in self.world.running}
        assert end is called(self.world), (end, self.world.shares_now)
        assert all(sum(split.values()) == 100 for split in self.world.splits)
        await self.replay(rollback)
        return outcome

    async def histories(self, rollback: Rollback) -> list[WorkflowHistory]:
        """The parent's history, then its child's if it had one."""
        parent = await rollback.history()
        started = (
            event.child_workflow_execution_started_event_attributes for event in parent.events
        )
        children = [one.workflow_execution for one in started if one.workflow_execution.run_id]
        return [parent] + [
            await self.client.get_workflow_handle(
                child.workflow_id, run_id=child.run_id
            ).fetch_history()
            for child in children
        ]

    async def replay(self, rollback: Rollback) -> list[WorkflowHistory]:
        """Both histories, once they have been replayed without a difference."""
        histories = await self.histories(rollback)
        for history in histories:
            await replayer().replay_workflow(history)
        return histories


def steps_of(status: RollbackStatus) -> dict[str, str]:
    """Name of each step → its state; of two steps of one name the later one."""
    return {step.name: str(step.state) for service in status.services for step in service.steps}


def called(world: StandInService) -> EndState:
    """What the world itself says of how it stands."""
    match world.shares_now:
        case {"v1": 100}:
            return EndState.ROLLED_BACK
        case {"v2": 100}:
            return EndState.RESTORED if world.ledger else EndState.UNTOUCHED
        case _:
            return EndState.MIXED


def replayer() -> Replayer:
    """Replays with the same plugin as every worker."""
    return Replayer(
        workflows=[],
        namespace=NAMESPACE,  # encrypted payloads are bound to it
        plugins=[plugin(data_converter=data_converter())],
    )


def catalogue(
    service: str,
    policy: dict[str, object],
    strategy: str = "blue_green",
    decisions: dict[str, object] | None = None,
) -> Catalogue:
    """A catalogue of one service; its addresses lead nowhere and are never asked."""
    return Catalogue.model_validate(
        {
            "version": 1,
            "environments": {"test": {"policy": policy, "decisions": decisions or {}}},
            "services": {
                service: {
                    "strategy": strategy,
                    "environments": {
                        "test": {
                            "workloads": {"kind": "supervisord", "socket": "/x", "program": "x"},
                            "traffic": {
                                "kind": "envoy",
                                "admin": "http://127.0.0.1:1",
                                "routes": "/x",
                                "route": "x",
                            },
                        }
                    },
                }
            },
        }
    )


def release(version: str, standing: Standing, minutes_ago: int) -> Release:
    """A recorded release with a baseline, as old as that."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return Release(
        version=version,
        digest=f"sha256:{version}",
        recorded_at=at,
        recorded_by="test",
        standing=standing,
        because="4 s without an error",
        restore_point=RestorePoint(
            digest=f"sha256:{version}", instances=3, shares={version: 100}, taken_at=at
        ),
        baseline=Baseline(
            requests=10_000,
            error_ratio=0.0,
            latency_p95_ms=10,
            requests_per_s=100,
            window_s=100,
            taken_at=at,
        ),
    )


@contextlib.asynccontextmanager
async def rig(
    client: Client,
    folder: Path,
    *,
    cached: int,
    policy: dict[str, object] | None = None,
    manned: bool = True,
    audit: Chain | None = None,
) -> AsyncIterator[Rig]:
    """v1 verified and warm, v2 bad with all the traffic; a worker runs, unless not `manned`."""
    service = f"s{uuid.uuid4().hex[:8]}"
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    records = SqlRecords(engine)
    records.save_release("test", service, release("v1", Standing.VERIFIED, 60))
    records.save_release("test", service, release("v2", Standing.CANDIDATE, 5))
    world = StandInService(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})
    settings = Settings(data=folder, task_queue=f"q-{service}")
    if not cached:
        client = quick(client)
    rules = {**POLICY, **(policy or {})}
    made = Rig(client, service, world, records, settings, rules, cached, audit=audit)
    async with made.worker() if manned else contextlib.nullcontext():
        yield made
    engine.dispose()


def quick(client: Client) -> Client:
    """A client, for workers without a cache, whose lost workflow tasks come again soon."""
    return Client(
        client.service_client,
        namespace=client.namespace,
        data_converter=client.data_converter,
        interceptors=[_QuickTasks()],
    )


def with_policy(made: Rig, **policy: object) -> Rig:
    """The same rig under another policy; its worker must be started anew."""
    return replace(made, policy={**made.policy, **policy})
