"""A build that breaks replay on purpose: it orders the claim and a look the other way round."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

from workflows.service_rollback import ServiceRollbackWorkflow

with workflow.unsafe.imports_passed_through():
    import pydantic

    from rollback_manager.contract import SERVICE_WORKFLOW, ServiceRollback
    from rollback_manager.progress import ServiceOutcome


@workflow.defn(
    name=SERVICE_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.PINNED,
)
class LooksBeforeItClaims(ServiceRollbackWorkflow):
    """The same workflow but for the order of its first two commands."""

    @workflow.init
    def __init__(self, request: ServiceRollback) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: ServiceRollback) -> ServiceOutcome:
        return await super().run(request)

    async def _claim(self) -> None:
        await self._find()
        await super()._claim()
