"""Where words are signed, an incident follows only what the gateway signed for just this."""

import asyncio
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from rollback_manager.authority.token import Dec
from rollback_manager.contract import INCIDENT_WORKFLOW, Answered, incident_id
from rollback_manager.decision.facts import Action
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.incident import Incident, Status, join
from rollback_manager.incidents.incident_status import (
    IncidentCarried,
    IncidentOpening,
    IncidentStatus,
    IncidentVerdict,
)
from rollback_manager.incidents.triggers import Source, TriggerKind
from rollback_manager.progress import State
from tests.incident_rig import alarm, end_budget, give, incident, replay_incident, rollbacks, until
from tests.rig import Rig
from tests.secured import SecuredRig, secured_rig, word
from workflows import incident as workflow_file

ANA, BO, CY, EVE = (f"{name}@example.com" for name in ("ana", "bo", "cy", "eve"))
HALF = {"v1": 50, "v2": 50}
BACK = IncidentVerdict(action=Action.ROLLBACK, by=ANA, reason="checkout is broken")
WATCH = BACK.model_copy(update={"action": Action.MONITOR})

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another run": ({"run": "another"}, "another run of this rollback"),
    "another incident": ({"rid": "incident/test/other/v2"}, "another rollback"),
    "another environment": ({"aud": "rollback-manager/stage"}, "another environment"),
    "another decision": ({"dec": Dec.APPROVE}, "signed to approve"),
    "a wrong key": ({"kid": "stranger"}, "a key that this rollback does not know"),
    "somebody else": ({"sub": BO}, "somebody else"),
    "expired": ({"at": time.time() - 601}, "ended"),
}


async def asks(made: Rig) -> tuple[WorkflowHandle[Any, Any], str]:
    """An incident that asks a person, and the id of its first run."""
    odd: dict[str, Any] = {
        "trigger": TriggerKind.FEATURE_REGRESSION,
        "source": Source.CLIENT,
        "size": None,
    }
    await give(made, alarm(made, **odd))
    await until(made, Status.DECISION_MADE)
    handle = incident(made)
    known = (await handle.describe()).raw_description.workflow_execution_info
    return handle, known.first_run_id


async def said(handle: WorkflowHandle[Any, Any], words: IncidentVerdict) -> str:
    """Of the update: what it answers, or why it is refused."""
    try:
        answer: Answered = await handle.execute_update(
            "decide", words, id=uuid.uuid4().hex, result_type=Answered
        )
    except WorkflowUpdateFailedError as error:
        return f"refused: {error.cause}"
    return f"{answer.applied}: {answer.because}"


async def test_a_word_counts_as_it_was_signed_and_nothing_else_by_update_or_by_signal(
    unmanned: Rig,
) -> None:
    unmanned.world.shares_now = dict(HALF)
    async with secured_rig(unmanned).at_work() as made:
        assert isinstance(made, SecuredRig)
        await end_budget(made.client)
        handle, run = await asks(made)
        changed = word(handle.id, run, WATCH).model_copy(update={"action": Action.ROLLBACK})
        bad = {name: (word(handle.id, run, BACK, **how), why) for name, (how, why) in BAD.items()}
        bad |= {"unsigned": (BACK, "not signed"), "another word": (changed, "another plan")}
        for name, (words, because) in bad.items():
            answer = await said(handle, words)
            assert answer.startswith("refused"), (name, answer)
            assert because in answer, (name, answer)
            await handle.signal("decide", words)
        seen = await until(made, Status.DECISION_MADE)
        assert len(seen.ignored) == len(bad)
        for one, (_, because) in zip(seen.ignored, bad.values(), strict=True):
            assert because in one.because
        assert await rollbacks(made) == []

        once = word(handle.id, run, WATCH)
        assert (await said(handle, once)).startswith("True")
        await until(made, Status.MONITORING)
        assert "used before" in await said(handle, once)
        assert (await said(handle, word(handle.id, run, BACK))).startswith("True")
        seen = await until(made, Status.PLANNED)
        rollback = made.rollbacks.rollback(seen.rollback)
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        assert status.requested_by == ANA
        assert int(status.quorum.rpartition(" ")[2]) >= 1
        await replay_incident(made)
        await handle.terminate()
        await made.client.get_workflow_handle(rollback.id).cancel()
        await rollback.result()


async def test_where_nothing_can_be_judged_an_unsigned_word_counts_no_more_than_else(
    unmanned: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_file, "AN_HOUR", timedelta(seconds=1))

    def away() -> Any:
        raise Unreachable("Envoy does not answer")

    unmanned.world.shares = away  # type: ignore[method-assign]
    async with secured_rig(unmanned).at_work() as made:
        await end_budget(made.client)
        await give(made, alarm(made))
        await until(made, Status.ERROR)
        handle = incident(made)
        run = (await handle.describe()).raw_description.workflow_execution_info.first_run_id
        assert "not signed" in await said(handle, WATCH)
        assert (await said(handle, word(handle.id, run, WATCH))).startswith("True")
        await until(made, Status.MONITORING)
        await replay_incident(made)
        await handle.terminate()


async def test_a_history_that_begins_anew_knows_its_keys_before_it_judges_again(
    unmanned: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_file, "COLLECTED", timedelta(seconds=0.5))
    monkeypatch.setattr(workflow_file, "QUIET", timedelta(seconds=1))
    unmanned.world.shares_now = dict(HALF)
    async with secured_rig(unmanned).at_work() as made:
        await end_budget(made.client)
        monkeypatch.setattr(workflow_file, "is_long", lambda: True)
        handle, run = await asks(made)
        while (await handle.describe()).run_id == run:
            await asyncio.sleep(0.1)
        assert "not signed" in await said(handle, BACK)
        await handle.terminate()


async def test_used_words_go_on_with_a_history_that_begins_anew(
    unmanned: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_file, "COLLECTED", timedelta(seconds=0.5))
    unmanned.world.shares_now = dict(HALF)
    async with secured_rig(unmanned).at_work() as made:
        await end_budget(made.client)
        handle, run = await asks(made)
        once = word(handle.id, run, WATCH)
        assert (await said(handle, once)).startswith("True")
        await until(made, Status.MONITORING)
        monkeypatch.setattr(workflow_file, "is_long", lambda: True)
        await give(made, alarm(made, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
        while (await handle.describe()).run_id == run:
            await asyncio.sleep(0.1)
        monkeypatch.setattr(workflow_file, "is_long", lambda: False)
        await until(made, Status.MONITORING)
        assert "not signed" in await said(handle, BACK)
        assert "used before" in await said(handle, once)
        assert (await said(handle, word(handle.id, run, WATCH))).startswith("True")
        await handle.terminate()


@pytest.mark.parametrize("cron", ["", "@every 1s"])
async def test_what_somebody_says_an_incident_has_come_to_before_is_not_believed(
    unmanned: Rig, monkeypatch: pytest.MonkeyPatch, cron: str
) -> None:
    """It would bring evidence that was never judged fit, and a word would need no signature."""
    monkeypatch.setattr(workflow_file, "A_MINUTE", timedelta(seconds=0.5))
    unmanned.world.shares_now = dict(HALF)
    async with secured_rig(unmanned).at_work() as made:
        handle = await made.client.start_workflow(
            INCIDENT_WORKFLOW,
            IncidentOpening(env="test", service=made.service, version="v2", so_far=forged(made)),
            id=incident_id("test", made.service, "v2"),
            task_queue=made.settings.task_queue,
            cron_schedule=cron,
        )
        async with asyncio.timeout(20):
            if cron:
                one = made.client.get_workflow_handle(handle.id)
                while (await one.describe()).run_id == handle.first_execution_run_id:
                    await asyncio.sleep(0.1)
                seen = await one.query("status", result_type=IncidentStatus)
                await one.terminate()
            else:
                seen = IncidentStatus.model_validate(await handle.result())
        assert seen.because in {"alarms come in", "no alarm came"}
        assert seen.incident.alarms == 0


def forged(made: Rig) -> IncidentCarried:
    """Evidence of anybody's, and a person is asked."""
    told = alarm(made)
    known = Incident(
        env="test", service=made.service, version="v2", detected_at=told.evidence.fired_at
    )
    joined = join(known, told.evidence)
    asked = joined.model_copy(update={"status": Status.DECISION_MADE})
    return IncidentCarried(status=IncidentStatus(incident=asked), seen=told.seen)
