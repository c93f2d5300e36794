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
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
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

    worker_mib: of the process with the worker and the targets; worker_kib_each: what it grew by
    since its first row, for each service. worker_cpu: cores that it kept busy.
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
    worker_cpu: float


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
        root, sizes = await _histories(made, rollback.id)
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
        worker_cpu=round(cpu_s / seconds, 2),
    )


def _must_be_whole(outcome: RollbackOutcome, made: Fleet) -> None:
    if outcome.result is not Result.VERIFIED:
        raise RuntimeError(f"it ended {outcome.result}: {outcome.because[:500]}")
    if wrong := [name for name, world in made.worlds.items() if world.shares_now != {"v1": 100}]:
        raise RuntimeError(f"not rolled back: {wrong[:10]}")


async def _histories(made: Fleet, rollback: str) -> tuple[int, list[tuple[int, float]]]:
    """Events of the root; (events, KiB) of every workflow of this environment."""
    query = f"RollbackEnv = '{made.env}'"
    free = asyncio.Semaphore(20)

    async def size(handle: WorkflowHandle[object, object]) -> tuple[int, float]:
        async with free:
            told = (await handle.describe()).raw_description.workflow_execution_info
            return told.history_length, told.history_size_bytes / KIB

    await asyncio.sleep(2)  # visibility lags
    found = [run.id async for run in made.client.list_workflows(query)]
    ids = {rollback, *(service_id(made.env, name) for name in made.worlds), *found}
    rows = await asyncio.gather(
        *(size(made.client.get_workflow_handle(one)) for one in sorted(ids))
    )
    return (await size(made.client.get_workflow_handle(rollback)))[0], list(rows)


def slope(rows: list[Row]) -> float | None:
    """Of log wall over log n from 100 services on; None if there are not two such sizes."""
    large = [row for row in rows if row.services >= 100]
    if len(large) < 2:
        return None
    first, last = large[0], large[-1]
    walls, sizes = last.seconds / first.seconds, last.services / first.services
    return round(math.log(walls) / math.log(sizes), 3)


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
        with quick_looks():
            async with SERVERS[server]() as (client, folder):
                rows.append(await measured(client, folder, services, before_mib))
        progress(f"{rows[-1]}")
    return {
        "server": server,
        "rows": [asdict(row) for row in rows],
        "slope": slope(rows),
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
