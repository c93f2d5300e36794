"""One plugin for worker, starters' replay and tests: converter, interceptors, sandbox, failures."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workers.failures import Failures
from workflows.plan import PlanWorkflow
from workflows.release import ReleaseWorkflow
from workflows.rollback import RollbackWorkflow
from workflows.service_rollback import ServiceRollbackWorkflow

WORKFLOWS: Sequence[type] = (
    RollbackWorkflow,
    ServiceRollbackWorkflow,
    PlanWorkflow,
    ReleaseWorkflow,
)

PASSED_THROUGH = ("rollback_manager", "activities", "workflows")
"""Ours are pure where workflows use them; importing them anew costs 40 ms a workflow."""


def plugin(
    activities: Sequence[Callable[..., Any]] = (), interceptors: Sequence[Interceptor] = ()
) -> SimplePlugin:
    """What every process that runs or replays our workflows has in common."""
    return SimplePlugin(
        "rollback-manager",
        data_converter=pydantic_data_converter,
        interceptors=[Failures(), *interceptors],
        activities=list(activities),
        workflows=list(WORKFLOWS),
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
        ),
    )
