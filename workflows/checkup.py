"""Asks the worker how its clusters stand. Starters hold no credentials; workers do."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import A_MINUTE
from workflows.short import short

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.clusters import ClusterActivities
    from rollback_manager.access import ClustersAsked, ClustersChecked
    from rollback_manager.contract import CHECKUP_WORKFLOW


@workflow.defn(
    name=CHECKUP_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class CheckupWorkflow:
    """What is missing in the clusters of the catalogue, and what is too much. Touches nothing."""

    @workflow.run
    async def run(self, asked: ClustersAsked) -> ClustersChecked:
        """The checks as the worker carried them out."""
        return await short(
            ClusterActivities.check_clusters, asked, patience=A_MINUTE, summary="check clusters"
        )
