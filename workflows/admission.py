"""Waiting for the environment's budget: an object that the rollback owns.

Nothing runs unadmitted. A budget that cannot be asked, or does not answer, holds.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.control import Control
from workflows.options import A_MINUTE
from workflows.short import AT_ONCE, FAILED, ONCE, short

with workflow.unsafe.imports_passed_through():
    from activities.budget import BudgetActivities
    from rollback_manager.contract import RollbackRequest, budget_id
    from rollback_manager.fleet.budget import MANUAL, Ask, Standing, Word
    from rollback_manager.plan import RollbackPlan
    from rollback_manager.progress import EndState, Result, RollbackOutcome, ServiceOutcome

AN_HOUR = timedelta(hours=1)
"""A held one asks again, should its budget have been ended meanwhile; it stays held."""


class Admission:
    """One rollback's place in the budget. A person's own is counted, and waits for nothing."""

    def __init__(self, request: RollbackRequest, control: Control) -> None:
        self._request = request
        self._control = control
        self._word: Word | None = None
        self._news = False
        self.was_held = False

    @property
    def must_be_asked(self) -> bool:
        """Whether somebody other than a person started it; a part's whole was admitted already."""
        return self._request.trigger != MANUAL and not self.is_part

    @property
    def is_part(self) -> bool:
        """Whether its parent is a rollback: its whole was admitted and agreed to already."""
        parent = workflow.info().parent
        return parent is not None and parent.workflow_id.startswith("rollback/")

    def hear(self, word: Word) -> None:
        """All that the budget's signal does. The first word that is not "held" counts."""
        if not self._is_decided():
            self._word, self._news = word, True
            self.was_held = self.was_held or word.standing is Standing.HELD

    async def count(self) -> None:
        """A person's own takes a place in the window; nothing waits for it, or depends on it."""
        if self._request.trigger != MANUAL or self.is_part:
            return
        try:
            await self._control.to_the_end(
                workflow.execute_local_activity_method(
                    BudgetActivities.ask_budget,
                    self._ask(),
                    start_to_close_timeout=AT_ONCE,
                    retry_policy=ONCE,
                    summary="counted by the budget",
                )
            )
        except FAILED:
            workflow.logger.warning("the budget did not count a rollback by hand")

    async def refused(
        self, plan: RollbackPlan, tell: Callable[[str], None]
    ) -> RollbackOutcome | None:
        """Wait for the budget. None: it may begin; otherwise how it ended without beginning.

        tell: called with what it waits for, whenever that changes.
        """
        await self._wait(tell)
        abort = self._control.abort
        if abort is not None:  # abort wins ties
            await self._withdraw()
            why = f"{abort.mode} by {abort.by}" + (f": {abort.reason}" if abort.reason else "")
            return self._untouched(plan, Result.ABORTED, why)
        if self._word is not None and self._word.standing is Standing.DISMISSED:
            return self._untouched(plan, Result.REJECTED, self._word.because)
        return None

    async def _wait(self, tell: Callable[[str], None]) -> None:
        while not self._is_decided() and self._control.abort is None:
            trouble = await self._send()
            if trouble and self._control.abort is None:
                tell(f"{trouble}. Nothing begins without it; it is asked again")
            patience = AN_HOUR if self._word else A_MINUTE
            if not await self._hears_within(patience, tell) and self._word is None:
                tell(f"{self._budget} does not answer. Nothing begins without it")

    async def _hears_within(self, patience: timedelta, tell: Callable[[str], None]) -> bool:
        """False: the time is over, and nothing new was said."""
        while not self._is_decided() and self._control.abort is None:
            if not await self._control.until(
                lambda: self._news, timeout=patience, summary="waiting for the budget"
            ):
                return False
            self._news = False
            if self._word is not None and not self._is_decided():
                tell(self._word.because)
                patience = AN_HOUR
        return True

    async def _send(self) -> str:
        """Ask; in words why that was not possible."""
        work = short(
            BudgetActivities.ask_budget, self._ask(), patience=A_MINUTE, summary="may it begin?"
        )
        try:
            _: object = await self._control.race(work)  # an async activity: its type is a coroutine
        except FAILED as error:
            return f"{self._budget} cannot be asked: {error.cause or error}"
        except asyncio.CancelledError:
            if self._control.abort is None:
                raise
        return ""

    async def _withdraw(self) -> None:
        handle = workflow.get_external_workflow_handle(self._budget)
        try:
            await self._control.to_the_end(handle.signal("withdraw", self._ask()))
        except ApplicationError:
            workflow.logger.info("the budget has ended; nothing is held there")

    def _untouched(self, plan: RollbackPlan, result: Result, because: str) -> RollbackOutcome:
        services = tuple(
            ServiceOutcome(
                service=service.service,
                end=EndState.UNTOUCHED,
                verified=False,
                because="it was not begun",
                aborted=result is Result.ABORTED,
            )
            for service in plan.services
        )
        return RollbackOutcome(
            rollback=workflow.info().workflow_id,
            result=result,
            because=because,
            effect="Production is unchanged.",
            next_step="Start again if the release is still bad: the lock is free.",
            digest=plan.digest,
            services=services,
            gates=plan.gates,
            security=plan.security,
        )

    def _ask(self) -> Ask:
        return Ask(
            rollback=workflow.info().workflow_id,
            env=self._request.env,
            services=self._request.services,
            trigger=self._request.trigger,
            was_held=self._word is not None,
        )

    @property
    def _budget(self) -> str:
        return budget_id(self._request.env)

    def _is_decided(self) -> bool:
        return self._word is not None and self._word.standing is not Standing.HELD
