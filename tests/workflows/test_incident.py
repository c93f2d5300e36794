"""A bad release is seen, judged and undone, and nobody has started anything."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from activities.integrations.temporal_incidents import TemporalIncidents
from rollback_manager.alarms import Alarm, Sighting
from rollback_manager.contract import (
    INCIDENT_WORKFLOW,
    WATCH_WORKFLOW,
    Answered,
    incident_id,
    watch_id,
)
from rollback_manager.decision.facts import Action
from rollback_manager.incident import Resolution, Status
from rollback_manager.incident_status import IncidentStatus, IncidentVerdict
from rollback_manager.reading import Reading
from rollback_manager.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.watching import Watch
from tests import rig
from tests.rig import Rig

BY_ITSELF: dict[str, object] = {"tier_up_without_evidence": False}
PATIENCE_S = 40


@pytest.fixture
async def split(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """v1 and v2 with half of the traffic each; v2 is not bad yet."""
    async with rig.rig(client, tmp_path, cached=cached, manned=False) as made:
        made.world.shares_now = {"v1": 50, "v2": 50}
        one = replace(made, decisions=BY_ITSELF)
        async with one.worker():
            yield one


def incident(made: Rig) -> WorkflowHandle[Any, Any]:
    return made.client.get_workflow_handle(incident_id("test", made.service, "v2"))


async def status(made: Rig) -> IncidentStatus:
    answer: IncidentStatus = await incident(made).query("status", result_type=IncidentStatus)
    return answer


async def until(made: Rig, wanted: Status) -> IncidentStatus:
    """Asked for only while no workflow task is under way: without a cache a query ends that."""
    async with asyncio.timeout(PATIENCE_S):
        while await state(made) != wanted:
            await asyncio.sleep(0.1)
    return await status(made)


async def state(made: Rig) -> str | None:
    """As Temporal's lists show it."""
    try:
        seen = await incident(made).describe()
    except RPCError:
        return None  # not begun yet
    if seen.raw_description.HasField("pending_workflow_task"):
        return None
    return seen.typed_search_attributes.get(SearchAttributeKey.for_keyword("RollbackState"))


def alarm(made: Rig, size: float | None = 0.3, **more: Any) -> Alarm:
    now = datetime.now(UTC)
    new, old = (
        Reading(
            version=version,
            requests=1000,
            errors=errors,
            latency_p95_ms=10,
            window_s=20,
            taken_at=now,
        )
        for version, errors in (("v2", round(1000 * (size or 0.0))), ("v1", 10))
    )
    words = {
        "trigger": TriggerKind.CRITICAL_ERROR_RATE,
        "finding": Finding.REGRESSED,
        "words": f"v2 is worse, {size}",
        "source": Source.DETECTOR,
        "fired_at": now,
        "size": size,
        "nats": 12.0,
    }
    return Alarm(
        env="test",
        service=made.service,
        version="v2",
        evidence=Evidence.model_validate({**words, **more}),
        seen=Sighting(new=new, old=old, traffic_share=0.5, onset_at=now, worse_than_old="v2 is"),
    )


async def give(made: Rig, one: Alarm) -> None:
    incidents = TemporalIncidents(made.client, asyncio.get_running_loop(), made.settings.task_queue)
    await asyncio.to_thread(incidents.alarm, one)


async def test_a_release_that_breaks_is_seen_and_undone_by_itself(split: Rig) -> None:
    watch = await split.client.start_workflow(
        WATCH_WORKFLOW,
        Watch(env="test"),
        id=f"{watch_id('test')}-{split.service}",
        task_queue=split.settings.task_queue,
    )
    try:
        await asyncio.sleep(3)
        split.world.error_ratio = {"v2": 0.3}
        seen = await until(split, Status.RESOLVED)
    finally:
        await watch.terminate()
    assert seen.incident.resolution is Resolution.ROLLBACK_SUCCESSFUL
    assert split.world.shares_now == {"v1": 100}
    assert seen.decision is not None
    assert seen.decision.action is Action.ROLLBACK
    assert seen.rollback


async def test_a_healthy_release_is_left_alone(split: Rig) -> None:
    watch = await split.client.start_workflow(
        WATCH_WORKFLOW,
        Watch(env="test"),
        id=f"{watch_id('test')}-{split.service}",
        task_queue=split.settings.task_queue,
    )
    try:
        split.world.error_ratio = {"v1": 0.01, "v2": 0.012}
        await asyncio.sleep(8)
        seen: Watch = await watch.query("watched", result_type=Watch)
    finally:
        await watch.terminate()
    assert [(one.version, one.beside) for one in seen.releases] == [("v2", "v1")]
    assert split.world.shares_now == {"v1": 50, "v2": 50}
    count = await split.client.count_workflows(
        f"WorkflowType = '{INCIDENT_WORKFLOW}' AND RollbackService = '{split.service}'"
    )
    assert count.count == 0


async def test_many_alarms_are_one_incident_and_one_rollback(split: Rig) -> None:
    split.world.error_ratio = {"v2": 0.3}
    await asyncio.gather(*(give(split, alarm(split)) for _ in range(50)))
    async with asyncio.timeout(PATIENCE_S):
        while split.world.shares_now != {"v1": 100}:
            await asyncio.sleep(0.2)
    await give(split, alarm(split))  # too late: it has no traffic any more
    ended = IncidentStatus.model_validate(await incident(split).result())
    listed = [
        one.id
        async for one in split.client.list_workflows(
            f"WorkflowType = 'RollbackWorkflow' AND RollbackServices = '{split.service}'"
        )
    ]
    assert len(listed) == 1, ended


async def test_a_stale_alarm_is_refused_with_the_reason(split: Rig) -> None:
    await give(split, alarm(split, fired_at=datetime(2026, 1, 1, tzinfo=UTC)))
    ended = IncidentStatus.model_validate(await incident(split).result())
    assert "it fired" in ended.because
    assert split.world.shares_now == {"v1": 50, "v2": 50}


async def test_a_person_is_asked_where_the_trigger_asks_for_one(split: Rig) -> None:
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    seen = await until(split, Status.DECISION_MADE)
    assert seen.decision is not None
    assert seen.decision.action is Action.MANUAL_REVIEW
    verdict = IncidentVerdict(action=Action.ROLLBACK, by="anna", reason="checkout is broken")
    await incident(split).signal("decide", verdict)
    await until(split, Status.RESOLVED)
    assert split.world.shares_now == {"v1": 100}


async def test_a_word_that_nobody_waits_for_changes_nothing(split: Rig) -> None:
    """It would be no status that may follow: the workflow must not fail by it."""
    await give(split, alarm(split, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    verdict = IncidentVerdict(action=Action.MONITOR, by="anna", reason="too early")
    await incident(split).signal("decide", verdict.model_copy(update={"action": "manual_review"}))
    seen = await until(split, Status.DECISION_MADE)
    assert seen.incident.status is Status.DECISION_MADE
    answered: Answered = await incident(split).execute_update(
        "decide", verdict, result_type=Answered
    )
    assert answered.applied
    ended = IncidentStatus.model_validate(await incident(split).result())
    assert ended.incident.resolution is Resolution.MONITORING_CONTINUE
    assert ended.because == "anna says monitor: too early"
    assert split.world.shares_now == {"v1": 50, "v2": 50}
