"""Builds of the workers: which of them poll, and which one new rollbacks begin on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rollback_manager.errors import Unreachable

if TYPE_CHECKING:
    from temporalio.api.deployment.v1 import RoutingConfig
    from temporalio.api.taskqueue.v1 import TaskQueueVersioningInfo
    from temporalio.client import Client

DEPLOYMENT = "rollback"
"""The name under which Temporal keeps all builds of this product's workers."""
ANSWER = timedelta(seconds=10)
"""Temporal asks a workflow of its own for it: 0.1 s, and near a second on a busy machine."""


@dataclass(frozen=True)
class Routing:
    """Where new rollbacks begin. Empty: on workers without a build."""

    current: str = ""
    ramping: str = ""
    percent: float = 0.0

    def in_words(self) -> str:
        """For people."""
        current = self.current or "none"
        if not self.ramping:
            return current
        return f"{current} ({self.ramping} gets {self.percent:g} % of what begins)"


def make_current(build_id: str) -> str:
    """The command by which a person gives new rollbacks to a build; empty: to workers of none."""
    which = f"--build-id {build_id}" if build_id else "--unversioned"
    return f"temporal worker deployment set-current-version --deployment-name {DEPLOYMENT} {which}"


async def routing(client: Client) -> Routing:
    """As Temporal has it; a deployment that it has never heard of has no current build."""
    from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
    from temporalio.service import RPCError, RPCStatusCode

    try:
        got = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT),
            timeout=ANSWER,
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return Routing()
        raise Unreachable(
            f"Temporal does not say which build is current: {error.message}",
            effect="Unchanged by asking. A build that is not current gets no new rollbacks.",
            next_step=f"temporal worker deployment describe --name {DEPLOYMENT}",
        ) from error
    return _routing(got.worker_deployment_info.routing_config)


def _routing(found: RoutingConfig | TaskQueueVersioningInfo) -> Routing:
    return Routing(
        current=found.current_deployment_version.build_id,
        ramping=found.ramping_deployment_version.build_id,
        percent=found.ramping_version_percentage,
    )


@dataclass(frozen=True)
class Polled:
    """One queue: the builds whose workers ask for workflows, "" for none, and where they go."""

    builds: frozenset[str]
    routing: Routing

    @property
    def is_plain(self) -> bool:
        """Whether builds play no part here."""
        return self.builds == {""} and not self.routing.current

    @property
    def reaches_nobody(self) -> bool:
        """Whether nobody who polls gets what is started now."""
        return self.routing.current not in self.builds

    def in_words(self) -> str:
        """For people."""
        builds = ", ".join(one or "no build" for one in sorted(self.builds))
        return f"as {builds}; the current build: {self.routing.in_words()}"


async def polled(client: Client, queue: str) -> Polled:
    """Who polls the queue; a build that is current elsewhere plays no part in it."""
    from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    got = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        timeout=ANSWER,
    )
    versioned = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    told = (one.deployment_options for one in got.pollers)
    builds = (one.build_id if one.worker_versioning_mode == versioned else "" for one in told)
    return Polled(frozenset(builds), _routing(got.versioning_info))
