"""The budget of one environment: admits what fits, and holds the rest as one question."""

import asyncio

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior
from temporalio.exceptions import ApplicationError

from workflows.messages import readable
from workflows.options import A_DAY
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.budget import BudgetActivities
    from rollback_manager.contract import BUDGET_WORKFLOW, Answered
    from rollback_manager.fleet import budget as judging
    from rollback_manager.fleet.budget import (
        Ask,
        Budget,
        BudgetAnswer,
        Judged,
        Judging,
        Standing,
        Word,
    )
    from rollback_manager.progress import State
    from rollback_manager.rendering import budget as rendering

STATE = SearchAttributeKey.for_keyword("RollbackState")

AT_ONCE = 100
"""Signals to rollbacks under way at once: far below Temporal's 2,000."""


@workflow.defn(
    name=BUDGET_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
)
class BudgetWorkflow:
    """Started by the first ask; ends by itself once nothing is held and the window is empty."""

    @workflow.init
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._asks: list[Ask] = []
        self._words: list[tuple[str, Word]] = []
        self._shown: State | None = None

    @workflow.run
    async def run(self, budget: Budget) -> Budget:
        """Judge those who ask, and pass on what people answer."""
        while True:
            await self._judge()
            await self._tell()
            self._show()
            if self._has_news():
                continue
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self._budget)
            if not await self._something_happens():
                return self._budget

    async def _judge(self) -> None:
        """In an activity, so that history keeps the answer while the judgement may improve."""
        if not self._asks:
            return
        asks, self._asks = tuple(self._asks), []
        policy, now = asks[-1].policy, workflow.now()
        question = Judging(policy=policy, grants=self._budget.grants, asks=asks, now=now)
        judged: Judged = await short(
            BudgetActivities.judge_budget,
            question,
            patience=A_DAY,
            summary=f"{len(asks)} ask, {policy.budget} in {policy.budget_window_s:g} s",
        )
        for ask, standing in zip(asks, judged.standings, strict=True):
            self._take(ask, standing)

    def _take(self, ask: Ask, standing: Standing) -> None:
        now = workflow.now()
        if standing is Standing.HELD:
            self._budget = judging.hold(self._budget, ask, now)
            self._words.append((ask.rollback, judging.refusal(ask)))
            return
        self._budget = judging.admit(self._budget, ask, now)
        if ask.trigger != judging.MANUAL:  # a person's own waits for no answer
            word = Word(standing=Standing.ADMITTED, because="there was room in the window")
            self._words.append((ask.rollback, word))

    async def _tell(self) -> None:
        while self._words:
            batch, self._words = self._words[:AT_ONCE], self._words[AT_ONCE:]
            await asyncio.gather(*(self._tell_one(rollback, word) for rollback, word in batch))

    async def _tell_one(self, rollback: str, word: Word) -> None:
        handle = workflow.get_external_workflow_handle(rollback)
        try:
            await handle.signal("budget_answers", word)
        except ApplicationError:
            workflow.logger.info("the rollback has ended already", extra={"rollback": rollback})

    def _has_news(self) -> bool:
        return bool(self._asks or self._words)

    async def _something_happens(self) -> bool:
        """False: nothing is held, and no place in the window is taken any more."""
        patience = None
        if not self._budget.held:
            patience = judging.taken_for(self._budget, workflow.now())
            if not patience:
                return False
        try:
            await workflow.wait_condition(
                self._has_news, timeout=patience, timeout_summary="until the window is empty"
            )
        except TimeoutError:
            return False
        return True

    def _show(self) -> None:
        """One question, on the page and in the search attribute by which it is found."""
        state = State.NEEDS_HUMAN if self._budget.held else State.RUNNING
        if state is not self._shown:
            workflow.upsert_search_attributes([STATE.value_set(str(state))])
        self._shown = state
        workflow.set_current_details(rendering.details(self._budget))

    @workflow.query
    def status(self) -> Budget:
        """Who began within the window, and who is held."""
        return self._budget

    @workflow.signal(description="Sent by rollbacks, not by people")
    def ask(self, ask: Ask | None = None) -> None:
        """A rollback wants to begin."""
        if known := readable(ask, Ask):
            self._asks.append(known)

    @workflow.signal(description="Sent by a held rollback that was aborted")
    def withdraw(self, ask: Ask | None = None) -> None:
        """A rollback waits no longer."""
        if known := readable(ask, Ask):
            self._asks = [one for one in self._asks if one.rollback != known.rollback]
            self._budget = judging.without(self._budget, (known.rollback,))
            self._show()

    @workflow.update(description="Let held rollbacks begin: all, or the named ones")
    def admit(self, answer: BudgetAnswer) -> Answered:
        """They have causes of their own, or the cause is known: let them begin."""
        return self._answer(Standing.ADMITTED, answer)

    @admit.validator
    def _may_admit(self, answer: BudgetAnswer) -> None:
        self._check(answer)

    @workflow.update(description="End held rollbacks untouched: all, or the named ones")
    def dismiss(self, answer: BudgetAnswer) -> Answered:
        """It is one cause, and these are not the way to mend it: end them untouched."""
        return self._answer(Standing.DISMISSED, answer)

    @dismiss.validator
    def _may_dismiss(self, answer: BudgetAnswer) -> None:
        self._check(answer)

    @workflow.signal(name="admit", description="Let held rollbacks begin: all, or the named ones")
    def admit_signal(self, answer: BudgetAnswer | None = None) -> None:
        """The update's twin: stored even while no worker runs."""
        if known := readable(answer, BudgetAnswer):
            self._answer(Standing.ADMITTED, known)

    @workflow.signal(name="dismiss", description="End held rollbacks untouched")
    def dismiss_signal(self, answer: BudgetAnswer | None = None) -> None:
        """The update's twin: stored even while no worker runs."""
        if known := readable(answer, BudgetAnswer):
            self._answer(Standing.DISMISSED, known)

    def _check(self, answer: BudgetAnswer) -> None:
        chosen, because = judging.named_by(self._budget, answer)
        if not chosen:
            raise ApplicationError(because, type="AnswerIgnored", non_retryable=True)

    def _answer(self, standing: Standing, answer: BudgetAnswer) -> Answered:
        chosen, because = judging.named_by(self._budget, answer)
        if not chosen:
            workflow.logger.warning("an answer was ignored", extra={"because": because})
            return Answered(applied=False, because=because)
        self._budget = judging.answered(self._budget, standing, chosen, workflow.now())
        why = f"{standing} by {answer.by}" + (f": {answer.reason}" if answer.reason else "")
        word = Word(standing=standing, because=why, by=answer.by)
        self._words += [(rollback, word) for rollback in chosen]
        return Answered(applied=True, because=f"{len(chosen)} {standing}")
