"""All services' own workflows of one rollback: locked together, told together, awaited."""

import asyncio
from collections.abc import Iterable

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.child import ServiceChild
from workflows.control import Control

with workflow.unsafe.imports_passed_through():
    from rollback_manager.authority.keys import Seal
    from rollback_manager.plan import RollbackPlan, ServicePlan
    from rollback_manager.progress import ServiceOutcome
    from rollback_manager.values import Value


class Fleet:
    """The children of a rollback by service. Those of one service are no special case."""

    def __init__(self, control: Control, services: Iterable[str]) -> None:
        self._control = control
        self._children = {name: ServiceChild(control, name) for name in sorted(set(services))}
        self._plan: RollbackPlan | None = None
        self._seal = Seal()

    def __getitem__(self, service: str) -> ServiceChild:
        """The child of that service."""
        return self._children[service]

    def knows(self, word: str) -> bool:
        """Whether one of these children says it, where what steers them must be proven."""
        return word == self._seal.word

    async def lock(self, plan: RollbackPlan, seal: Seal, *, go: bool) -> None:
        """All locks or none, taken in sorted order, so that of two rollbacks one gets them all.

        seal: what those must prove who steer a service; the word in it is this one's.
        Raises WorkflowAlreadyStartedError where another rollback holds one; then those that were
        taken are free again.
        """
        self._plan, self._seal = plan, seal
        for name in self._children:
            try:
                await self.start(name, go=go)
            except WorkflowAlreadyStartedError as error:
                await self.stop("rollback-manager", f"{error.workflow_id} is held")
                await self._control.to_the_end(workflow.wait_condition(self._nothing_runs))
                raise

    async def start(self, service: str, *, go: bool) -> None:
        """The child of one service, for the first time or once more."""
        if self._plan is None:
            raise RuntimeError("there is no plan yet")
        await self[service].start(self._plan, _of(self._plan, service), self._seal, go=go)

    def done(self) -> bool:
        """Whether all have ended."""
        return all(child.done() for child in self._children.values())

    def any_done(self) -> bool:
        """Whether one has ended."""
        return any(child.done() for child in self._children.values())

    def tell(self, name: str, command: Value) -> None:
        """Keep a signal for all of them; `pass_on` sends it."""
        for child in self._children.values():
            child.tell(name, command)

    def is_to_be_told(self) -> bool:
        """Whether somebody has said something that one of them does not know."""
        return any(child.is_to_be_told() for child in self._children.values())

    async def pass_on(self) -> None:
        """Send everything that was kept, to all at once."""
        told = asyncio.gather(*(child.pass_on() for child in self._children.values()))
        await self._control.to_the_end(told)

    async def stop(self, by: str, reason: str) -> None:
        """None of them must begin."""
        told = asyncio.gather(*(child.stop(by, reason) for child in self._children.values()))
        await self._control.to_the_end(told)

    async def outcomes(self, services: Iterable[str]) -> tuple[ServiceOutcome, ...]:
        """How those ended, in that order; they must have ended."""
        return tuple([await self[name].outcome() for name in services])

    def _nothing_runs(self) -> bool:
        return all(child.is_over() for child in self._children.values())


def _of(plan: RollbackPlan, service: str) -> ServicePlan:
    return next(one for one in plan.services if one.service == service)
