"""Starts what looks after each service once its rollback has ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.workflow import ParentClosePolicy

from workflows.control import Control
from workflows.stay import StayWorkflow

with workflow.unsafe.imports_passed_through():
    from rollback_manager.contract import stay_id
    from rollback_manager.plan import RollbackPlan
    from rollback_manager.progress import ServiceOutcome, State
    from rollback_manager.staying import staying
    from rollback_manager.stays import Staying


async def look_after(
    control: Control,
    plan: RollbackPlan,
    outcomes: Sequence[ServiceOutcome],
    told: Mapping[str, str],
) -> None:
    """One workflow of its own for each service that went back, or whose owners are still held.

    It outlives this one. One that still looks after an earlier rollback of the service is replaced:
    what is held is held for the service, and the new one knows of it. told: channel → its
    reference, so that people hear of it where they heard of the rollback.
    """
    for outcome in outcomes:
        about = staying(plan, outcome, workflow.info().workflow_id, workflow.now())
        if about is not None:
            about = about.model_copy(update={"told": dict(told)})
            await control.to_the_end(_started(about))


async def _started(about: Staying) -> None:
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
        for name, value in (
            ("RollbackEnv", about.env),
            ("RollbackService", about.service),
            ("RollbackState", str(State.RUNNING)),
        )
    ]
    await workflow.start_child_workflow(
        StayWorkflow.run,
        about,
        id=stay_id(about.env, about.service),
        parent_close_policy=ParentClosePolicy.ABANDON,
        id_reuse_policy=WorkflowIDReusePolicy.TERMINATE_IF_RUNNING,
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=f"{about.service} stays on {about.version}? · {len(about.owners)} held",
    )
