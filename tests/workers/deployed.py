"""Builds of the same code, deployed on a real server, and what each of them worked for."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from temporalio import activity
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersionDrainageStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import WorkflowHistory
from temporalio.service import RPCError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Worker,
)

from starters.builds import DEPLOYMENT
from tests.rig import Rig
from workers.worker import make_worker

DRAINED = VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED
PATIENCE_S = 60
"""Temporal keeps its own workflows about builds: a second for each change, many under load."""


@dataclass
class Builds:
    """Deploys builds of the same code, and notes for which workflows each of them worked."""

    made: Rig
    served: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def worker(self, build_id: str) -> Worker:
        made, noted = self.made, _Noted(self.served[build_id])
        return make_worker(made.client, made.settings, made.parts, [noted], build_id=build_id)

    async def make_current(self, build_id: str) -> None:
        """Once its workers are known; the server needs a moment after their first poll."""
        wanted = SetWorkerDeploymentCurrentVersionRequest(
            namespace="default",
            deployment_name=DEPLOYMENT,
            build_id=build_id,
            ignore_missing_task_queues=True,  # of other tests
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.made.client.workflow_service.set_worker_deployment_current_version(
                        wanted
                    )
                    return
                except RPCError:
                    await asyncio.sleep(0.1)

    async def until_drained(self, build_id: str) -> None:
        """Until the server says that nothing runs on it any more."""
        version = WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id)
        asked = DescribeWorkerDeploymentVersionRequest(
            namespace="default", deployment_version=version
        )
        service = self.made.client.workflow_service
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await service.describe_worker_deployment_version(asked)
                if found.worker_deployment_version_info.drainage_info.status == DRAINED:
                    return
                await asyncio.sleep(0.2)


@dataclass
class _Noted(Interceptor):
    workflows: set[str]

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Noting(next, self.workflows)


class _Noting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, workflows: set[str]) -> None:
        super().__init__(next)
        self._workflows = workflows

    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        self._workflows.add(activity.info().workflow_run_id or "")
        answer: object = await super().execute_activity(input)
        return answer


def builds_of(history: WorkflowHistory) -> set[str]:
    """The builds that carried its workflow tasks out."""
    done = (event.workflow_task_completed_event_attributes for event in history.events)
    return {one.deployment_version.build_id for one in done if one.started_event_id}
