"""One service's own workflow as its parent sees it: started early, told things, awaited."""

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ChildWorkflowError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

from workflows.control import Control
from workflows.outbox import Outbox
from workflows.service_rollback import ServiceRollbackWorkflow

with workflow.unsafe.imports_passed_through():
    from rollback_manager.authority.keys import Seal
    from rollback_manager.contract import AbortCommand, AbortMode, ServiceRollback, service_id
    from rollback_manager.plan import RollbackPlan, ServicePlan
    from rollback_manager.progress import EndState, ServiceOutcome, State
    from rollback_manager.values import Value


class ServiceChild:
    """The child of one service, and what it has not been told yet."""

    def __init__(self, control: Control, service: str) -> None:
        self._control = control
        self._service = service
        self._handle: ChildWorkflowHandle[ServiceRollbackWorkflow, ServiceOutcome] | None = None
        self._outbox = Outbox(control)
        self.begun = False
        """Whether it may begin: its parent has said so, at its start or later."""

    async def start(
        self, plan: RollbackPlan, service: ServicePlan, seal: Seal, *, go: bool
    ) -> None:
        """The child is ready, and holds the lock, before anybody has decided.

        seal: what those must prove who steer it; its word is this one's.
        Raises WorkflowAlreadyStartedError where another rollback holds the lock.
        """
        self._outbox.word = seal.word
        seen = next((one for one in plan.found if one.service == service.service), None)
        starting = workflow.start_child_workflow(
            ServiceRollbackWorkflow.run,
            ServiceRollback(
                env=plan.env,
                rollback=workflow.info().workflow_id,
                digest=plan.digest,
                plan=service,
                go=go,
                counted=seen.counted if seen else None,
                tells=bool(plan.channels),
                seal=seal,
            ),
            id=service_id(plan.env, service.service),
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=_search_attributes(plan, service),
            static_summary=f"{service.service} {service.from_version}→{service.to_version}"
            f" · {service.strategy} · floor {service.floor}",
        )
        self._handle = await self._control.to_the_end(starting)
        self.begun = go

    def done(self) -> bool:
        """Whether it has ended."""
        return self._handle is not None and self._handle.done()

    def is_over(self) -> bool:
        """Whether nothing of it runs: it has ended, or was never started."""
        return self._handle is None or self._handle.done()

    def tell(self, name: str, command: Value) -> None:
        """Keep a signal for it; `pass_on` sends it."""
        self._outbox.keep(name, command)

    def is_to_be_told(self) -> bool:
        """Whether somebody has said something, a native cancel included, that it does not know."""
        return self._outbox.is_full()

    async def pass_on(self) -> None:
        """Send everything that was kept, in its order; a cancel goes as a hold."""
        if self._handle is not None:
            await self._outbox.send(self._handle)

    async def begin(self) -> None:
        """What was said before the go, an abort or a pause, gets there before it."""
        self.begun = True
        await self.pass_on()
        word = self._outbox.word
        await self._signal("go", [word] if word else [])

    async def stop(self, by: str, reason: str) -> None:
        """It must not begin."""
        word = self._outbox.word
        hold = AbortCommand(mode=AbortMode.HOLD, by=by, reason=reason, word=word)
        await self._signal("abort", [hold])

    async def outcome(self) -> ServiceOutcome:
        """How it ended; unknown where it was ended from outside."""
        if self._handle is None:
            raise RuntimeError("the child was never started")
        try:
            return await self._handle
        except ChildWorkflowError as error:
            return ServiceOutcome(
                service=self._service,
                end=EndState.UNKNOWN,
                verified=False,
                because=f"its workflow did not end by itself: {error.cause or error}",
            )

    async def _signal(self, name: str, arguments: Sequence[Value | str]) -> None:
        if self._handle is not None:
            await self._outbox.signal(self._handle, name, arguments)


def _search_attributes(plan: RollbackPlan, service: ServicePlan) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        for name, value in (
            ("RollbackEnv", plan.env),
            ("RollbackService", service.service),
            ("RollbackStrategy", service.strategy),
            ("RollbackState", str(State.RUNNING)),
        )
    ]
    return TypedSearchAttributes(pairs)
