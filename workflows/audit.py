"""Asks the worker about the audit chain. Starters hold no credentials; workers do."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import RETRY

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.audit import AuditActivities
    from rollback_manager.audit.asked import Answer, AuditRequest
    from rollback_manager.contract import AUDIT_WORKFLOW

ATTEMPT = timedelta(minutes=10)
"""A million entries are verified in some minutes."""


@workflow.defn(
    name=AUDIT_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class AuditWorkflow:
    """One thing to ask of the audit chain. Touches nothing in production."""

    @workflow.run
    async def run(self, request: AuditRequest) -> Answer:
        """The answer; fails with the reason where there is none."""
        return await workflow.execute_activity_method(
            AuditActivities.ask_audit,
            request,
            start_to_close_timeout=ATTEMPT,
            schedule_to_close_timeout=ATTEMPT,
            retry_policy=RETRY,
            summary=f"{request.ask.verb} the audit chain",
        )
