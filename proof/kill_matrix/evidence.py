"""What is asked for when all is over: Temporal's history, and the world once it is at rest."""

import time
from datetime import UTC

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from demo.world import World
from proof.kill_matrix.account import End, Happened
from proof.kill_matrix.witnesses import Processes, look_at_envoy

STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
RESTS_WITHIN_S = 30.0
QUIET_S = 0.5
STOPPING_S = 3.0
"""Longer than an instance takes from its stop signal to its end."""


async def history(client: Client, workflow: str) -> tuple[Happened, ...]:
    """The events of the newest run, each with the activity that it is about."""
    events = (await client.get_workflow_handle(workflow).fetch_history()).events
    scheduled = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    return tuple(_happened(event, scheduled) for event in events)


async def attempt_under_way(client: Client, workflow: str, activity: str) -> int:
    """Which attempt at that activity a worker has right now; 0 if none has one."""
    try:
        seen = await client.get_workflow_handle(workflow).describe()
    except RPCError:
        return 0
    pending = seen.raw_description.pending_activities
    under_way = [one for one in pending if one.state == STARTED]
    return max((one.attempt for one in under_way if one.activity_type.name == activity), default=0)


def at_rest(world: World, processes: Processes) -> End:
    """The world when no process starts or ends any more, and none is about to end."""
    calm, before = 0, _moving(world, processes)
    deadline = time.monotonic() + RESTS_WITHIN_S
    while calm * QUIET_S < (QUIET_S if _all_serve(world) else STOPPING_S):
        time.sleep(QUIET_S)
        now = _moving(world, processes)
        calm, before = (calm + 1 if now == before else 0), now
        assert time.monotonic() < deadline, f"the world does not come to rest: {now}"
    port = int(world.admin_url.rpartition(":")[2])
    weights = look_at_envoy(port, world.service).parts
    return End(
        shares={name.removeprefix(f"{world.service}-"): part for name, part in weights.items()},
        ready={v: min(world.ready(v), world.healthy(v)) for v in ("v1", "v2")},
    )


def _moving(world: World, processes: Processes) -> object:
    return world.pids(), processes.events()


def _all_serve(world: World) -> bool:
    """Whether every process is one that users could be sent to: none is stopping."""
    instances = [name for name in world.pids() if name.startswith(f"{world.service}-")]
    return len(instances) == sum(world.ready(v) for v in ("v1", "v2"))


def _happened(event: HistoryEvent, scheduled: dict[int, str]) -> Happened:
    kind = str(event.WhichOneof("attributes")).removesuffix("_event_attributes")
    facts = getattr(event, f"{kind}_event_attributes")
    about = getattr(facts, "scheduled_event_id", event.event_id)
    return Happened(
        at=event.event_time.ToDatetime(UTC),
        kind=kind,
        activity=scheduled.get(about, ""),
        attempt=int(getattr(facts, "attempt", 0)),
    )
