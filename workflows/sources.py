"""Asks the worker whether it can read what the catalogue declares: starters have no tokens."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, VersioningBehavior

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.sources import SourceActivities
    from rollback_manager.contract import SOURCES_WORKFLOW
    from rollback_manager.metrics.source_checks import SourcesAsked, SourcesChecked

ATTEMPT = timedelta(seconds=20)
"""Above the time within which every source has answered or is told as slow."""


@workflow.defn(
    name=SOURCES_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class SourcesWorkflow:
    """What each source of numbers says, asked once. Touches nothing."""

    @workflow.run
    async def run(self, asked: SourcesAsked) -> SourcesChecked:
        """Once: who asks wants to know how it is now."""
        return await workflow.execute_activity_method(
            SourceActivities.check_sources,
            asked,
            start_to_close_timeout=ATTEMPT,
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary="ask the sources of numbers",
        )
