"""`make bench-scale`: one rollback of 1, 10, 100, … services on in-process targets, side by side.

On the dev server, or with `--server postgres` on Temporal's own server on PostgreSQL. The targets
answer after LATENCY_S, as a socket on the same machine does. What bends is told by the slope of log
wall over log n between 100 services and the most.
"""

import argparse
import asyncio
import json
import math
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import Client, WorkflowHandle

from activities.targets import VersionState
from benchmarks.figures import progress
from proof.converting import data_converter
from proof.in_process import Fleet, fleet, quick_looks
from proof.own_temporal import own_temporal
from proof.stand_ins import StandInService
from proof.temporal_server.programs import SERVER
from proof.temporal_server.running import Place, running
from rollback_manager.client import Rollback
from rollback_manager.contract import service_id
from rollback_manager.progress import Result, RollbackOutcome

LATENCY_S = 0.001
WIDTH = 50
"""Services under way at once: the sample of a large fleet."""
MIB = 1024 * 1024
KIB = 1024
SUGGESTED = {"events": 4096, "kib": 4 * KIB}
"""From there Temporal suggests that a workflow continues as new: its server's own defaults."""


class Answering(StandInService):
    """A target that takes a moment for each read."""

    def versions(self) -> dict[str, VersionState]:
        """As its base, after the target's latency."""
        time.sleep(LATENCY_S)
        return super().versions()


@dataclass(frozen=True)
class Row:
    """One size. events, kib: of the histories, parents' and children's; most_: of one of them.

    part_seconds: from the start of each part to its end; empty: it went in one. worker_mib: of the
    process with the worker and the targets; worker_kib_each: what that grew by since before the
    first row. worker_cpu_ms_each: of that process; server_cpu_ms_each: of Temporal with its
    database, from its start to its end. What others do on the machine is in neither.
    """

    services: int
    seconds: float
    services_per_s: float
    events_each: float
    history_kib_each: float
    root_events: int
    most_events: int
    most_kib: float
    worker_mib: float
    worker_kib_each: float
    worker_cpu_ms_each: float
    server_cpu_ms_each: float = 0
    part_seconds: tuple[float, ...] = ()


def resident_mib() -> float:
    """Memory of this process, in which the worker is."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


async def measured(client: Client, folder: Path, services: int, before_mib: float) -> Row:
    """One rollback of so many services, from its start to its end."""
    rules = {"width": WIDTH, "budget": 1000}
    async with fleet(client, folder, services=services, fleet=rules) as made:
        for name in made.worlds:
            made.worlds[name] = Answering(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})
        async with made.worker(cached=2000):
            begun, worked = time.monotonic(), time.process_time()
            request = made.request(next(iter(made.worlds)), services=tuple(made.worlds))
            rollback = await made.rollbacks.start(request)
            outcome = await rollback.result()
            seconds, cpu_s = time.monotonic() - begun, time.process_time() - worked
            _must_be_whole(outcome, made)
            memory = resident_mib()
        parts = await _parts(rollback)
        root, sizes = await _histories(made, rollback.id, parts)
    events, kib = zip(*sizes, strict=True)
    return Row(
        services=services,
        seconds=round(seconds, 2),
        services_per_s=round(services / seconds, 2),
        events_each=round(sum(events) / services, 1),
        history_kib_each=round(sum(kib) / services, 1),
        root_events=root,
        most_events=max(events),
        most_kib=round(max(kib), 1),
        worker_mib=round(memory, 1),
        worker_kib_each=round((memory - before_mib) * KIB / services, 1),
        worker_cpu_ms_each=round(cpu_s * 1000 / services, 1),
        part_seconds=tuple(parts.values()),
    )


def _must_be_whole(outcome: RollbackOutcome, made: Fleet) -> None:
    if outcome.result is not Result.VERIFIED:
        raise RuntimeError(f"it ended {outcome.result}: {outcome.because[:500]}")
    if wrong := [name for name, world in made.worlds.items() if world.shares_now != {"v1": 100}]:
        raise RuntimeError(f"not rolled back: {wrong[:10]}")


async def _parts(rollback: Rollback) -> dict[str, float]:
    """Seconds from start to end by the id of the part, from the history of the root."""
    begun: dict[str, float] = {}
    parts: dict[str, float] = {}
    for event in (await rollback.history()).events:
        at = event.event_time.ToNanoseconds() / 1e9
        started = event.child_workflow_execution_started_event_attributes
        ended = event.child_workflow_execution_completed_event_attributes
        if (name := started.workflow_execution.workflow_id).startswith(f"{rollback.id}-p"):
            begun[name] = at
        if (name := ended.workflow_execution.workflow_id) in begun:
            parts[name] = round(at - begun[name], 2)
    return parts


async def _histories(
    made: Fleet, rollback: str, parts: Iterable[str]
) -> tuple[int, list[tuple[int, float]]]:
    """Events of the root; (events, KiB) of every workflow of this environment."""
    query = f"RollbackEnv = '{made.env}'"
    free = asyncio.Semaphore(20)

    async def size(handle: WorkflowHandle[object, object]) -> tuple[int, float]:
        async with free:
            told = (await handle.describe()).raw_description.workflow_execution_info
            return told.history_length, told.history_size_bytes / KIB

    await asyncio.sleep(2)  # visibility lags
    found = [run.id async for run in made.client.list_workflows(query)]
    ids = {rollback, *parts, *(service_id(made.env, name) for name in made.worlds), *found}
    rows = await asyncio.gather(
        *(size(made.client.get_workflow_handle(one)) for one in sorted(ids))
    )
    return (await size(made.client.get_workflow_handle(rollback)))[0], list(rows)


def slope(rows: list[Row], what: Callable[[Row], float]) -> float | None:
    """Of log of that over log n from 100 services on; None if there are not two such sizes."""
    large = [row for row in rows if row.services >= 100]
    if len(large) < 2:
        return None
    first, last = large[0], large[-1]
    ratio, sizes = what(last) / what(first), last.services / first.services
    return round(math.log(ratio) / math.log(sizes), 3)


def _wall(row: Row) -> float:
    return row.seconds


def _cpu(row: Row) -> float:
    return (row.worker_cpu_ms_each + row.server_cpu_ms_each) * row.services


def _ended_cpu_s() -> float:
    """Processor time of all processes that we started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@asynccontextmanager
async def _dev_server() -> AsyncIterator[tuple[Client, Path]]:
    async with own_temporal(on_disk=True) as own:
        yield await own.client(), own.folder


@asynccontextmanager
async def _on_postgres() -> AsyncIterator[tuple[Client, Path]]:
    programs = await SERVER.find(progress)
    with TemporaryDirectory(prefix="rb-") as name:
        async with running(programs, Path(name), _connected, durable=True) as place:
            yield await _connected(place), Path(name)


async def _connected(place: Place) -> Client:
    return await Client.connect(place.address, data_converter=data_converter())


SERVERS: dict[str, Callable[[], AbstractAsyncContextManager[tuple[Client, Path]]]] = {
    "dev": _dev_server,
    "postgres": _on_postgres,
}


async def scale(server: str, sizes: list[int]) -> dict[str, object]:
    """All sizes, one after another, each on a server of its own."""
    rows: list[Row] = []
    before_mib = resident_mib()
    for services in sizes:
        worked = _ended_cpu_s()
        with quick_looks():
            async with SERVERS[server]() as (client, folder):
                row = await measured(client, folder, services, before_mib)
        cpu_ms = (_ended_cpu_s() - worked) * 1000
        rows.append(replace(row, server_cpu_ms_each=round(cpu_ms / services, 1)))
        progress(f"{rows[-1]}")
    return {
        "server": server,
        "rows": [asdict(row) for row in rows],
        "slope": slope(rows, _wall),
        "slope_of_cpu": slope(rows, _cpu),
        "goal": 1.05,
        "suggested_to_continue_as_new": SUGGESTED,
        "target_latency_s": LATENCY_S,
        "width": WIDTH,
    }


def main() -> None:
    """The table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--sizes", default="1,10,100,1000", help="services, by commas")
    parser.add_argument("--server", choices=sorted(SERVERS), default="dev", help="Temporal's")
    options = parser.parse_args()
    figures = asyncio.run(scale(options.server, [int(size) for size in options.sizes.split(",")]))
    sys.stdout.write(json.dumps(figures, indent=None if options.json else 2) + "\n")


if __name__ == "__main__":
    main()
