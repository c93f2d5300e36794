"""Acting now without approval: only explained, told to everybody, and reviewed before the next."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.errors import PermanentError
from rollback_manager.glass import Glass, GlassRequest, ListGlasses, ReviewGlass
from rollback_manager.progress import EndState, Result
from rollback_manager.rendering import terminal_status, web_ui
from tests.rig import Rig, rig
from tests.secured import secured_rig, signed_ask

ANA, BO = "ana@example.com", "bo@example.com"
ASKED: dict[str, object] = {"required": True, "deadline_s": 60}
LACKING = {"incident": "--incident", "reason": "--reason", "confirmed": "--confirm"}
WHY = {"incident": "inc-1", "reason": "everything fails and nobody answers"}


async def test_without_incident_reason_or_name_the_glass_stays_whole(
    client: Client, tmp_path: Path
) -> None:
    async with rig(client, tmp_path, cached=1000) as made:
        for left_out, said in LACKING.items():
            words = {**WHY, "confirmed": made.service, left_out: ""}
            outcome = await (await made.start(break_glass=True, **words)).result()
            assert (outcome.result, outcome.because) == (Result.BLOCKED, "the glass is not broken")
            assert said in outcome.next_step
        assert not made.records.glasses("test")


async def test_it_begins_without_anybody_opens_a_review_and_says_so_everywhere(
    unmanned: Rig,
) -> None:
    async with secured_rig(unmanned).at_work(approval=ASKED) as made:
        words = {**WHY, "confirmed": made.service}
        rollback = await made.start(break_glass=True, requested_by=ANA, **words)
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
        assert outcome.result is Result.VERIFIED
        status = await rollback.status()
        assert status.break_glass == ANA
        assert f"BREAK-GLASS by {ANA}" in terminal_status.status(status, datetime.now(UTC))
        plan = await made.client.get_workflow_handle(rollback.id).query("plan")
        assert plan["break_glass"] == ANA
        (glass,) = made.records.glasses("test")
        assert (glass.rollback, glass.by, glass.reviewed_at) == (rollback.id, ANA, None)
        assert glass.due_at - glass.broken_at == timedelta(hours=24)
        with pytest.raises(PermanentError, match="somebody else reviews it"):
            await made.rollbacks.glasses(_review(rollback.id, ANA))
        (reviewed,) = (await made.rollbacks.glasses(_review(rollback.id, BO))).glasses
        assert (reviewed.reviewed_by, reviewed.said) == (BO, "it was right")


def _review(rollback: str, by: str) -> GlassRequest:
    done = ReviewGlass(env="test", rollback=rollback, by=by, said="it was right")
    return GlassRequest(ask=signed_ask(done))


async def test_while_a_review_is_overdue_neither_that_person_nor_that_service_gets_the_next(
    made: Rig,
) -> None:
    at = datetime.now(UTC) - timedelta(hours=25)
    late = Glass(
        rollback="rollback/test/late",
        env="test",
        services=(made.service,),
        by=ANA,
        incident="inc-0",
        reason="so it was",
        broken_at=at,
        due_at=at + timedelta(hours=24),
    )
    made.records.keep_glass(late)
    words = {**WHY, "confirmed": made.service, "requested_by": BO}
    refused = await (await made.start(break_glass=True, **words)).result()
    assert refused.result is Result.BLOCKED
    assert "the review of rollback/test/late is overdue" in refused.next_step.lower()
    await made.rollbacks.glasses(_review(late.rollback, BO))
    known = await made.rollbacks.glasses(GlassRequest(ask=ListGlasses(env="test")))
    assert [one.reviewed_by for one in known.glasses] == [BO]
    outcome = await (await made.start(break_glass=True, **words)).result()
    assert outcome.result is Result.VERIFIED


def test_the_web_ui_says_it_in_its_first_lines() -> None:
    from rollback_manager.progress import RollbackStatus, State
    from tests.builders import plan

    made = plan(break_glass=ANA)
    status = RollbackStatus(rollback="rollback/demo/x", env="demo", state=State.RUNNING)
    assert "BREAK-GLASS by ana@example.com" in web_ui.rollback_details(status, made)
