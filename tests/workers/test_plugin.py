"""What every worker and replayer has in common: the sandbox takes in nothing unnoticed."""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from rollback_manager import contract
from tests import rig
from workers.plugin import PASSED_THROUGH, WORKFLOWS

STRICT = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(
        *PASSED_THROUGH
    ).with_import_notification_policy(
        SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
        | SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
    )
)
"""As the plugin's, but every module that slips through is an error (and so is a warning)."""


def test_the_workflows_have_the_names_by_which_they_are_started() -> None:
    names = [workflow._Definition.must_from_class(one).name for one in WORKFLOWS]
    assert names == [
        contract.ROLLBACK_WORKFLOW,
        contract.SERVICE_WORKFLOW,
        contract.PLAN_WORKFLOW,
        contract.RELEASE_WORKFLOW,
        contract.ADOPT_WORKFLOW,
        contract.WATCHDOG_WORKFLOW,
        contract.BUDGET_WORKFLOW,
        contract.WATCH_WORKFLOW,
        contract.INCIDENT_WORKFLOW,
        contract.DECISIONS_WORKFLOW,
        contract.CHECKUP_WORKFLOW,
        contract.SOURCES_WORKFLOW,
        contract.AUDIT_WORKFLOW,
        contract.STAY_WORKFLOW,
        contract.DEPLOYS_WORKFLOW,
        contract.GLASSES_WORKFLOW,
    ]


@pytest.mark.parametrize("one", WORKFLOWS, ids=lambda one: str(one.__name__))
async def test_a_workflow_loads_with_nothing_passed_through_unnoticed(one: type) -> None:
    STRICT.prepare_workflow(workflow._Definition.must_from_class(one))


async def test_a_whole_rollback_runs_with_nothing_passed_through_unnoticed(
    client: Client, tmp_path: Path
) -> None:
    async with rig.rig(client, tmp_path, cached=1000) as made:
        rollback = await made.start()
        await rollback.result()
        histories = await made.histories(rollback)
    replayer = Replayer(
        workflows=WORKFLOWS,
        workflow_runner=STRICT,
        data_converter=pydantic_data_converter,
    )
    for history in histories:
        await replayer.replay_workflow(history)
