"""Where starts are signed only what the gateway signed begins, and only as it was signed."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowFailureError

from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from rollback_manager.authority.origin import Origin
from rollback_manager.contract import (
    INCIDENT_WORKFLOW,
    ROLLBACK_WORKFLOW,
    SERVICE_WORKFLOW,
    RollbackRequest,
    ServiceRollback,
    incident_id,
    service_id,
)
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.incident_status import (
    IncidentOpening,
    IncidentStatus,
    IncidentVerdict,
)
from rollback_manager.incidents.triggers import Source, TriggerKind
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import Result, RollbackOutcome, State
from tests.chains import KEY
from tests.incident_rig import alarm, end_budget, give, rollbacks, until
from tests.rig import Rig
from tests.secured import SecuredRig, begun, secured_rig, word

ANA, CY = "ana@example.com", "cy@example.com"


def made_with(request: RollbackRequest, **words: Any) -> RollbackRequest:
    """Changed after it was signed."""
    return request.model_copy(update=words)


def bad(made: SecuredRig) -> dict[str, tuple[RollbackRequest, str]]:
    """By name: a start that must not count, and the words of the refusal."""

    def one() -> RollbackRequest:
        return made.request(requested_by=CY)

    now = time.time()
    own = Origin(rollback="x", run="y", parent=f"incident/test/{made.service}/v2", at="2026-01-01")  # type: ignore[arg-type]
    changed = "something of it was changed"
    other = begun(one()).token
    return {
        "unsigned": (one(), "it is not signed"),
        "says itself that an incident began it": (
            made_with(one(), origin=own, requested_by=own.parent, incident=own.parent),
            "it is not signed",
        ),
        "nothing that can be read": (made_with(one(), **{"token": "x.y.z"}), "cannot be read"),
        "another rollback": (made_with(one(), token=other), "another rollback"),
        "another environment": (begun(one(), aud="rollback-manager/stage"), "another environment"),
        "another name": (made_with(begun(one()), requested_by=ANA), "somebody else"),
        "the glass": (made_with(begun(one()), break_glass=True), changed),
        "another reason": (made_with(begun(one()), reason="because"), changed),
        "another target": (made_with(begun(one()), to_version="v0"), changed),
        "another incident": (made_with(begun(one()), incident="inc-9"), changed),
        "nobody is asked": (made_with(begun(one()), votes=1), changed),
        "expired": (begun(one(), at=now - 121), "had ended"),
        "from the future": (begun(one(), at=now + 90), "in the future"),
        "for a day": (begun(one(), exp=int(now) + 86_400), "longer than a start may count"),
        "a key that nobody named": (begun(one(), kid="stranger"), "a key that this rollback"),
        "groups that were not hashed": (begun(one(), groups_hash="0" * 64), "groups"),
        "without an id": (begun(one(), jti=" "), "has no id"),
    }


async def test_every_start_that_was_not_signed_for_just_this_ends_untouched_and_says_why(
    unmanned: Rig,
) -> None:
    async with secured_rig(unmanned).at_work() as made:
        assert isinstance(made, SecuredRig)
        for name, (request, because) in bad(made).items():
            outcome = await (await made.rollbacks.start(request)).result()
            assert outcome.result is Result.BLOCKED, name
            assert because in outcome.because, (name, outcome.because)
            assert "nothing was touched" in outcome.effect
            assert "ROLLBACK_GATEWAY" in outcome.next_step
        assert not made.world.ledger
        rollback = await made.start(requested_by=CY)
        assert (await made.until(rollback, State.WAITING_FOR_APPROVAL)).security == "secured"


async def test_a_signature_begins_one_run_not_the_same_again_and_not_after_a_reset(
    unmanned: Rig, tmp_path: Path
) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'audit.sqlite'}")
    upgrade(engine)
    chain = SqlAudit(engine, lambda: KEY, AnchorFile(tmp_path / "anchor.jsonl"))
    async with secured_rig(unmanned, audit=chain).at_work() as made:
        request = begun(made.request(requested_by=CY))
        rollback = await made.rollbacks.start(request)
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        handle = made.client.get_workflow_handle(rollback.id)
        await handle.cancel()
        assert (await rollback.result()).result is Result.ABORTED
        queue = made.settings.task_queue
        again: RollbackOutcome = await made.client.execute_workflow(
            ROLLBACK_WORKFLOW,
            request,
            id=rollback.id,
            task_queue=queue,
            result_type=RollbackOutcome,
        )
        assert "began another run already" in again.because
        run = (await handle.describe()).run_id
        await made.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=made.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=rollback.id, run_id=run),
                workflow_task_finish_event_id=3,
                request_id="reset",
            )
        )
        reset: RollbackOutcome = await made.client.get_workflow_handle(
            rollback.id, result_type=RollbackOutcome
        ).result()
        assert "began another run already" in reset.because
        told = [(one.action, one.outcome) for one in chain.newest(100, rollback.id)]
    assert [one for one in told if one[0] == "start.proven"] != []
    refusals = [
        one for one in told if one[0] == "start" and one[1].startswith("refused: this start")
    ]
    assert len(refusals) == 2
    assert not made.world.ledger
    engine.dispose()


async def test_nobody_carries_a_plan_of_their_own_out_at_the_service_itself(unmanned: Rig) -> None:
    async with secured_rig(unmanned).at_work() as made:
        assert isinstance(made, SecuredRig)
        rollback = await made.start(requested_by=CY)
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        plan = RollbackPlan.model_validate(
            await made.client.get_workflow_handle(rollback.id).query("plan")
        )
        await made.client.get_workflow_handle(rollback.id).cancel()
        await rollback.result()
        forged = ServiceRollback(
            env="test", rollback=rollback.id, digest=plan.digest, plan=plan.services[0], go=True
        )
        with pytest.raises(WorkflowFailureError) as refused:
            await made.client.execute_workflow(
                SERVICE_WORKFLOW,
                forged,
                id=service_id("test", made.service),
                task_queue=made.settings.task_queue,
            )
        assert "only a rollback carries out" in str(refused.value.cause)
        assert not made.world.ledger


async def test_an_incidents_own_rollback_needs_no_signature_and_one_on_somebodys_word_a_vote(
    unmanned: Rig,
) -> None:
    unmanned.world.shares_now = {"v1": 50, "v2": 50}
    async with secured_rig(unmanned).at_work() as made:
        await end_budget(made.client)
        handle = await made.client.start_workflow(
            INCIDENT_WORKFLOW,
            IncidentOpening(env="test", service=made.service, version="v2"),
            id=incident_id("test", made.service, "v2"),
            task_queue=made.settings.task_queue,
        )
        # A limit's word alone: the incident asks a person.
        await give(
            made,
            alarm(made, trigger=TriggerKind.FEATURE_REGRESSION, source=Source.CLIENT, size=None),
        )
        await until(made, Status.DECISION_MADE)
        run = handle.first_execution_run_id or ""
        said = word(handle.id, run, IncidentVerdict(action=Action.ROLLBACK, by=CY))
        await handle.signal("decide", said)
        async with asyncio.timeout(20):
            while not (names := await rollbacks(made)):
                await asyncio.sleep(0.1)
        rollback = made.rollbacks.rollback(names[0])
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        assert status.requested_by == CY
        assert int(status.quorum.rpartition(" ")[2]) >= 1
        await handle.terminate()
        await made.client.get_workflow_handle(rollback.id).cancel()
        assert (await rollback.result()).result is Result.ABORTED


@pytest.mark.parametrize("id", ["rollback/test/forged", "mallory"])
async def test_an_incident_under_an_id_of_somebodys_own_begins_nothing(
    unmanned: Rig, id: str
) -> None:
    unmanned.world.shares_now = {"v1": 50, "v2": 50}
    async with secured_rig(unmanned).at_work() as made:
        await end_budget(made.client)
        told = alarm(made, trigger=TriggerKind.FEATURE_REGRESSION, source=Source.CLIENT, size=None)
        handle = await made.client.start_workflow(
            INCIDENT_WORKFLOW,
            IncidentOpening(env="test", service=made.service, version="v2"),
            id=f"{id}-{made.service}",
            task_queue=made.settings.task_queue,
            result_type=IncidentStatus,
            start_signal="alarm",
            start_signal_args=[told],
        )

        async def seen(*, begun: bool) -> IncidentStatus:
            async with asyncio.timeout(20):
                while True:
                    one: IncidentStatus = await handle.query("status", result_type=IncidentStatus)
                    if one.incident.status is Status.DECISION_MADE and bool(one.rollback) is begun:
                        return one
                    await asyncio.sleep(0.1)

        await seen(begun=False)
        run = handle.first_execution_run_id or ""
        said = word(handle.id, run, IncidentVerdict(action=Action.ROLLBACK, by=CY))
        await handle.signal("decide", said)
        forged = made.rollbacks.rollback((await seen(begun=True)).rollback)
        outcome = await forged.result()
        assert (outcome.result, made.world.ledger) == (Result.BLOCKED, [])
        assert "it is not signed" in outcome.because
        await handle.terminate()
