"""Asks an environment's budget whether a rollback may begin, and judges its window."""

from temporalio import activity
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError

from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import BUDGET_WORKFLOW, budget_id
from rollback_manager.errors import Unreachable
from rollback_manager.fleet import budget
from rollback_manager.fleet.budget import Ask, Budget, Judged, Judging
from rollback_manager.progress import State


class BudgetActivities:
    """Activities on the budget that all rollbacks of an environment share."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    @activity.defn(no_thread_cancel_exception=True)
    async def ask_budget(self, ask: Ask) -> None:
        """Leave the ask with the budget, which need not run yet; asking twice is asking once.

        The answer comes as a signal to the rollback. Async, for only so has it Temporal's client.
        """
        policy = self._catalogue.environments[ask.env].fleet
        try:
            await activity.client().start_workflow(
                BUDGET_WORKFLOW,
                Budget(env=ask.env, policy=policy),
                id=budget_id(ask.env),
                task_queue=activity.info().task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal="ask",
                start_signal_args=[ask.model_copy(update={"policy": policy})],
                search_attributes=_search_attributes(ask.env),
                static_summary=f"{ask.env}: {policy.budget} rollbacks"
                f" in {policy.budget_window_s:g} s",
            )
        except RPCError as error:
            raise Unreachable(
                f"the budget of {ask.env} cannot be asked: {error.message}",
                effect="Production is unchanged: no rollback begins without its budget.",
            ) from error

    @activity.defn(no_thread_cancel_exception=True)
    def judge_budget(self, question: Judging) -> Judged:
        """Who of those that ask may begin; history keeps the answer."""
        return budget.judge(question)


def _search_attributes(env: str) -> TypedSearchAttributes:
    words = {"RollbackEnv": env, "RollbackState": str(State.RUNNING)}
    return TypedSearchAttributes(
        [SearchAttributePair(SearchAttributeKey.for_keyword(k), v) for k, v in words.items()]
    )
