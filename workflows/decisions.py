"""Reads and labels recorded decisions. Starters hold no credentials; workers do."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import A_MINUTE, RETRY

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.decisions import DecisionActivities
    from rollback_manager.contract import DECISIONS_WORKFLOW
    from rollback_manager.decision.asked import Decisions, DecisionsRequest

ATTEMPT = timedelta(seconds=30)
"""Two thousand decisions are read and replayed in a few seconds."""


@workflow.defn(
    name=DECISIONS_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class DecisionsWorkflow:
    """One thing to do with the records of decisions. Touches nothing in production."""

    @workflow.run
    async def run(self, request: DecisionsRequest) -> Decisions:
        """The answer; fails with the reason where there is none."""
        return await workflow.execute_activity_method(
            DecisionActivities.ask_decisions,
            request,
            start_to_close_timeout=ATTEMPT,
            schedule_to_close_timeout=A_MINUTE,
            retry_policy=RETRY,
            summary=f"{request.ask.verb} decisions of {request.ask.env}",
        )
