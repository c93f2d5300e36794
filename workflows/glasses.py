"""Lists broken glass, or notes that one was reviewed. Workers hold the records."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import A_MINUTE
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.glass import GlassActivities
    from rollback_manager.contract import GLASSES_WORKFLOW
    from rollback_manager.glass import Glasses, GlassRequest


@workflow.defn(
    name=GLASSES_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class GlassesWorkflow:
    """One thing to ask or to say about broken glass. Touches nothing in production."""

    @workflow.run
    async def run(self, request: GlassRequest) -> Glasses:
        """The answer; fails with the reason where there is none."""
        return await short(
            GlassActivities.ask_glasses,
            request,
            patience=A_MINUTE,
            summary=f"{request.ask.verb} of break-glass in {request.ask.env}",
        )
