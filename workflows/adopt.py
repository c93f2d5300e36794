"""Looks at what an ended rollback left, or gives it back. Starters hold no credentials."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import A_MINUTE
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.orphans import OrphanActivities
    from rollback_manager.claim import Left
    from rollback_manager.contract import ADOPT_WORKFLOW, AdoptRequest


@workflow.defn(
    name=ADOPT_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class AdoptWorkflow:
    """What was left of one service. Its targets are only read; going on is a rollback's work."""

    @workflow.run
    async def run(self, request: AdoptRequest) -> Left:
        """What was left; fails with the reason where there is nothing, or somebody is at it."""
        if request.give_back:
            summary = f"give {request.service} back as it stands: {request.by}"
            return await short(
                OrphanActivities.give_back, request, patience=A_MINUTE, summary=summary[:120]
            )
        return await short(
            OrphanActivities.look_at_orphan, request, patience=A_MINUTE, summary="what was left"
        )
