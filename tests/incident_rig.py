"""Alarms, and the incident that comes of them, on a rig: for tests and for recorded histories."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from activities.integrations.temporal_incidents import TemporalIncidents
from rollback_manager.contract import WATCH_WORKFLOW, budget_id, incident_id, watch_id
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.alarms import Alarm, Sighting
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.incident_status import IncidentStatus, IncidentVerdict
from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.metrics.reading import Reading
from rollback_manager.watch.watching import Watch
from tests import rig
from tests.rig import Rig

BY_ITSELF: dict[str, object] = {"tier_up_without_evidence": False}
PATIENCE_S = 60
"""Half of it an incident stays open for late alarms."""


def incident(made: Rig) -> WorkflowHandle[Any, Any]:
    """Of v2."""
    return made.client.get_workflow_handle(incident_id("test", made.service, "v2"))


async def ended(made: Rig) -> IncidentStatus:
    """How it stood at its end."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(RPCError):  # not begun yet
                return IncidentStatus.model_validate(await incident(made).result())
            await asyncio.sleep(0.1)


async def until(made: Rig, wanted: Status, alarms: int = 0) -> IncidentStatus:
    """Asked for only while no workflow task is under way: without a cache a query ends that."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await state(made) == wanted:
                seen: IncidentStatus = await incident(made).query(
                    "status", result_type=IncidentStatus
                )
                if seen.incident.status is wanted and seen.incident.alarms >= alarms:
                    return seen
            await asyncio.sleep(0.1)


async def state(made: Rig) -> str | None:
    """As Temporal's lists show it; None while a task is under way, or before it has begun."""
    try:
        seen = await incident(made).describe()
    except RPCError:
        return None
    if seen.raw_description.HasField("pending_workflow_task"):
        return None
    return seen.typed_search_attributes.get(SearchAttributeKey.for_keyword("RollbackState"))


async def rollbacks(made: Rig) -> list[str]:
    """Ids of the rollbacks that the incident has started, in their order."""
    history = await incident(made).fetch_history()
    begun = (
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id
        for event in history.events
    )
    return [one for one in begun if one]


async def replay_incident(made: Rig) -> None:
    """Its history so far, without a difference."""
    await rig.replayer().replay_workflow(await incident(made).fetch_history())


def alarm(made: Rig, size: float | None = 0.3, **more: Any) -> Alarm:
    """A detector's, of just now, unless told otherwise."""
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


def _incidents(made: Rig) -> TemporalIncidents:
    loop = asyncio.get_running_loop()
    return TemporalIncidents(made.client, loop, made.settings.task_queue)


async def end_budget(client: Client) -> None:
    """The environment's budget runs on the queue of the rig that asked first, and that is gone."""
    with contextlib.suppress(RPCError):  # nobody has asked yet
        await client.get_workflow_handle(budget_id("test")).terminate()


async def give(made: Rig, one: Alarm) -> None:
    """As the watch gives it."""
    await asyncio.to_thread(_incidents(made).alarm, one)


async def tell_well(made: Rig, one: Alarm) -> None:
    """As the watch tells that it is over."""
    await asyncio.to_thread(_incidents(made).recovered, one)


async def decide(made: Rig, action: Action) -> None:
    """Anna's word."""
    verdict = IncidentVerdict(action=action, by="anna", reason="checkout is broken")
    await incident(made).signal("decide", verdict)


@contextlib.asynccontextmanager
async def watch_over(made: Rig) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """The releases of this service are watched as long as the context lasts."""
    watch = await made.client.start_workflow(
        WATCH_WORKFLOW,
        Watch(env="test"),
        id=f"{watch_id('test')}-{made.service}",
        task_queue=made.settings.task_queue,
    )
    try:
        yield watch
    finally:
        await watch.terminate()
