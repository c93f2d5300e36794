"""Asks whether something may be deployed, and says or lifts a freeze. Workers hold the records."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import A_MINUTE
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.deploys import DeployActivities
    from rollback_manager.contract import DEPLOYS_WORKFLOW
    from rollback_manager.deploys import DeployAnswer, DeployRequest


@workflow.defn(
    name=DEPLOYS_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class DeploysWorkflow:
    """One thing to ask or to say about deploys. Touches nothing in production."""

    @workflow.run
    async def run(self, request: DeployRequest) -> DeployAnswer:
        """The answer; fails with the reason where there is none."""
        ask = request.ask
        return await short(
            DeployActivities.ask_deploys,
            request,
            patience=A_MINUTE,
            summary=f"{ask.verb} {ask.service or 'all'} in {ask.env}",
        )
