"""What CI starts after a deploy: freeze the restore point, record, mark or list releases."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.options import GRACE, RETRY

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.releases import ReleaseActivities
    from rollback_manager.contract import (
        RELEASE_WORKFLOW,
        MarkRelease,
        ReleaseRequest,
        Releases,
    )


def _measuring(request: ReleaseRequest) -> timedelta:
    """How long the baseline is measured; nothing else here takes longer than its tries."""
    ask = request.ask
    return timedelta(seconds=ask.measure_s) if isinstance(ask, MarkRelease) else timedelta()


@workflow.defn(
    name=RELEASE_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class ReleaseWorkflow:
    """One thing to do with the records of releases."""

    @workflow.run
    async def run(self, request: ReleaseRequest) -> Releases:
        """The releases as they are recorded afterwards."""
        ask = request.ask
        return await workflow.execute_activity_method(
            ReleaseActivities.keep_releases,
            request,
            start_to_close_timeout=_measuring(request) + GRACE,
            schedule_to_close_timeout=_measuring(request) + 2 * GRACE,
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=RETRY,
            summary=f"{ask.verb} {ask.service} in {ask.env}",
        )
