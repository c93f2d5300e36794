"""Answers with a plan. Starters hold no credentials; workers do."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import A_MINUTE
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.planning import PlanningActivities
    from rollback_manager.contract import PLAN_WORKFLOW, Planned, RollbackRequest


@workflow.defn(
    name=PLAN_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class PlanWorkflow:
    """What a rollback would do now. Touches nothing."""

    @workflow.run
    async def run(self, request: RollbackRequest) -> Planned:
        """The plan, or why there can be none."""
        question = request.model_copy(update={"origin": None})  # it begins nothing
        return await short(
            PlanningActivities.plan_rollback, question, patience=A_MINUTE, summary="plan"
        )
