"""One plugin for worker, starters' replay and tests: converter, interceptors, sandbox, failures."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from rollback_manager.client.converter import VEILED
from workers.failures import Failures
from workers.unversioned import UnversionedRunner
from workflows.adopt import AdoptWorkflow
from workflows.audit import AuditWorkflow
from workflows.budget import BudgetWorkflow
from workflows.checkup import CheckupWorkflow
from workflows.decisions import DecisionsWorkflow
from workflows.deploys import DeploysWorkflow
from workflows.glasses import GlassesWorkflow
from workflows.incident import IncidentWorkflow
from workflows.plan import PlanWorkflow
from workflows.release import ReleaseWorkflow
from workflows.rollback import RollbackWorkflow
from workflows.service_rollback import ServiceRollbackWorkflow
from workflows.sources import SourcesWorkflow
from workflows.stay import StayWorkflow
from workflows.watch import WatchWorkflow
from workflows.watchdog import WatchdogWorkflow

WORKFLOWS: Sequence[type] = (
    RollbackWorkflow,
    ServiceRollbackWorkflow,
    PlanWorkflow,
    ReleaseWorkflow,
    AdoptWorkflow,
    WatchdogWorkflow,
    BudgetWorkflow,
    WatchWorkflow,
    IncidentWorkflow,
    DecisionsWorkflow,
    CheckupWorkflow,
    SourcesWorkflow,
    AuditWorkflow,
    StayWorkflow,
    DeploysWorkflow,
    GlassesWorkflow,
)

PASSED_THROUGH = ("rollback_manager", "activities", "workflows", "jwt", "cryptography")
"""Ours are pure where workflows use them; importing them anew costs 40 ms a workflow. So are the
two that verify signatures, with all that they ask the clock for switched off (token.py)."""


def plugin(
    activities: Sequence[Callable[..., Any]] = (),
    interceptors: Sequence[Interceptor] = (),
    *,
    versioned: bool = False,
    data_converter: DataConverter = VEILED,
) -> SimplePlugin:
    """What every process that runs or replays our workflows has in common.

    data_converter: of who replays; a worker has that of its client.
    """
    return SimplePlugin(
        "rollback-manager",
        data_converter=data_converter,
        interceptors=[Failures(), *interceptors],
        activities=list(activities),
        workflows=list(WORKFLOWS),
        workflow_runner=runner(versioned=versioned),
    )


def runner(*, versioned: bool = False) -> SandboxedWorkflowRunner:
    """The sandbox; versioned: the worker has a build id, so Temporal takes the behaviours."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH),
        runner_class=UnsandboxedWorkflowRunner if versioned else UnversionedRunner,
    )
