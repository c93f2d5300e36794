"""An alarm storm: hundreds of alarms about one release within seconds are one incident."""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from proof.in_process import Fleet, fleet
from proof.own_temporal import own_temporal
from rollback_manager.client.incidents import Incidents, give
from rollback_manager.contract import INCIDENT_WORKFLOW, ROLLBACK_WORKFLOW, incident_id
from rollback_manager.incidents.alarms import Alarm, Sighting
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.incident_status import UNDONE, SeenIncident
from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.metrics.reading import Reading
from rollback_manager.values import Value
from workers.process import end

WITHIN_S = 10.0
PATIENCE_S = 120
ALIKE = ((TriggerKind.CRITICAL_ERROR_RATE, Source.DETECTOR),)
MIXED = (
    *ALIKE,
    (TriggerKind.CRITICAL_ERROR_RATE, Source.CLIENT),
    (TriggerKind.LATENCY_DEGRADATION, Source.DETECTOR),
    (TriggerKind.HEALTH_CHECK_FAILURE, Source.CLIENT),
    (TriggerKind.BUSINESS_METRIC_DROP, Source.DETECTOR),
    (TriggerKind.PERFORMANCE_REGRESSION, Source.CLIENT),
    (TriggerKind.FEATURE_REGRESSION, Source.JOURNEY),
)
"""Not those of data and security: for them people are asked, however many there are."""
Kinds = Sequence[tuple[TriggerKind, Source]]


class Stormed(Value):
    """What came of a storm.

    given: alarms that Temporal took; not_taken: those that it did not. sending_s: until the last
    one was taken; slowest_ms: the slowest of them. incidents, rollbacks: runs of their workflows.
    events: of the incident's history. counted: alarms that the incident knows of at its end.
    joined: what it keeps of them, one entry for each trigger and source. refused: alarms that it
    did not act on. writes: changes of the traffic.
    """

    kinds: int
    given: int
    not_taken: int
    sending_s: float
    slowest_ms: float
    incidents: int
    rollbacks: int
    events: int
    counted: int
    joined: int
    refused: int
    status: Status
    writes: int
    seconds: float

    @property
    def holds(self) -> bool:
        """One incident and one rollback, every alarm taken and counted, users well."""
        one = self.incidents == self.rollbacks == 1 and self.status is Status.RESOLVED
        return one and not self.not_taken and self.counted == self.given


async def storm(
    client: Client, folder: Path, alarms: int, kinds: Kinds, within_s: float
) -> Stormed:
    """So many alarms about one bad release, evenly over those seconds, each kind in turn."""
    # The way back lasts longer than the storm: all of it meets the one incident.
    slow = {"min_window_s": within_s + 2, "max_window_s": within_s + 30, "throughput_floor": 0}
    decisions = {"tier_up_without_evidence": False}
    begun = time.monotonic()
    async with fleet(
        client, folder, services=1, policy={"verification": slow}, decisions=decisions
    ) as made:
        (service,), (world,) = made.worlds, made.worlds.values()
        world.shares_now, world.error_ratio = {"v1": 50, "v2": 50}, {"v2": 0.3}
        async with made.worker():
            sending = time.monotonic()
            took = await _given(made, service, alarms, kinds, within_s)
            sending_s = time.monotonic() - sending
            seen = await _ended(made, service, len(took))
            handle = client.get_workflow_handle(incident_id(made.env, service, "v2"))
            events = (await handle.describe()).history_length
            counts = [await _runs(made, kind, 1) for kind in (INCIDENT_WORKFLOW, ROLLBACK_WORKFLOW)]
    incident = seen.status.incident
    return Stormed(
        kinds=len(kinds),
        given=len(took),
        not_taken=alarms - len(took),
        sending_s=round(sending_s, 2),
        slowest_ms=round(1000 * max(took, default=0.0), 1),
        incidents=counts[0],
        rollbacks=counts[1],
        events=events,
        counted=incident.alarms,
        joined=len(incident.joined),
        refused=len(seen.status.refused),
        status=incident.status,
        writes=sum(write.changed and write.what.startswith("shares") for write in world.ledger),
        seconds=round(time.monotonic() - begun, 1),
    )


async def _given(
    made: Fleet, service: str, alarms: int, kinds: Kinds, within_s: float
) -> list[float]:
    """How long Temporal took for each that it took, in seconds."""

    async def later(number: int) -> float | None:
        await asyncio.sleep(within_s * number / alarms)
        begun = time.monotonic()
        try:
            alarm = _alarm(made.env, service, *kinds[number % len(kinds)])
            await give(made.client, made.settings.task_queue, alarm)
        except RPCError:
            return None
        return time.monotonic() - begun

    took = await asyncio.gather(*map(later, range(alarms)))
    return [one for one in took if one is not None]


def _alarm(env: str, service: str, trigger: TriggerKind, source: Source) -> Alarm:
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
        for version, errors in (("v2", 300), ("v1", 10))
    )
    return Alarm(
        env=env,
        service=service,
        version="v2",
        evidence=Evidence(
            trigger=trigger,
            finding=Finding.REGRESSED,
            words="v2 fails 30 % of its requests",
            source=source,
            fired_at=now,
            size=3.0 if trigger is TriggerKind.LATENCY_DEGRADATION else 0.3,
            nats=12.0 if source is Source.DETECTOR else 0.0,
        ),
        seen=Sighting(new=new, old=old, traffic_share=0.5, onset_at=now, worse_than_old="v2 is"),
    )


async def _ended(made: Fleet, service: str, given: int) -> SeenIncident:
    """Once it is over and knows of all alarms, or will not get to know of more."""
    incidents = Incidents(made.client, made.settings.task_queue)
    async with asyncio.timeout(PATIENCE_S):
        while not (seen := await incidents.seen(made.env, service, "v2")).ended:
            incident = seen.status.incident
            if incident.status in UNDONE and incident.alarms >= given:
                break
            await asyncio.sleep(0.2)
    return seen


async def _runs(made: Fleet, kind: str, least: int) -> int:
    """How many there are, as Temporal's lists show them."""
    query = f"RollbackEnv = '{made.env}' AND WorkflowType = '{kind}'"
    async with asyncio.timeout(PATIENCE_S):
        while len(found := [run.id async for run in made.client.list_workflows(query)]) < least:
            await asyncio.sleep(0.2)  # a list follows a task later
    return len(found)


async def _main(alarms: int) -> dict[str, Stormed]:
    async with own_temporal() as own:
        client = await own.client()
        return {
            name: await storm(client, own.folder, alarms, kinds, WITHIN_S)
            for name, kinds in (("alike", ALIKE), ("mixed", MIXED))
        }


def main() -> None:
    """0 when each storm was one incident and one rollback, and no alarm was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--alarms", type=int, default=500)
    options = parser.parse_args()
    found = asyncio.run(_main(options.alarms))
    shown = {name: one.model_dump(mode="json") for name, one in found.items()}
    print(json.dumps(shown, indent=None if options.json else 2), flush=True)
    end(0 if all(one.holds for one in found.values()) else 1)


if __name__ == "__main__":
    main()
