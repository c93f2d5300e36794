"""`make idle`: what it costs that many plans wait for an approval: events, CPU, memory."""

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowHandle

from proof.in_process import Fleet, fleet
from proof.own_temporal import own_temporal
from rollback_manager.client import Rollback
from rollback_manager.contract import Decision, Vote, service_id
from rollback_manager.errors import Unreachable
from rollback_manager.progress import Result, State

AT_ONCE = 10
"""Starts at once: the dev server has one database connection."""
APPROVED = 20
"""Of those that waited, so many are approved at the end: a wait must end as it should."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """CPU seconds so far and MiB now, of the worker's process and of Temporal's."""

    worker_s: float
    temporal_s: float
    worker_mib: float
    temporal_mib: float

    @classmethod
    def of(cls, temporal_pid: int) -> "Cost":
        """Read from /proc."""
        worker, temporal = used(os.getpid()), used(temporal_pid)
        return cls(worker[0], temporal[0], worker[1], temporal[1])


def used(pid: int) -> tuple[float, float]:
    """CPU seconds so far and MiB now of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    cpu = (int(stat[11]) + int(stat[12])) / TICKS_PER_S
    return cpu, pages * os.sysconf("SC_PAGE_SIZE") / MIB


def say(words: str) -> None:
    """Progress: stdout is for the result."""
    print(words, file=sys.stderr, flush=True)


async def all_waiting(made: Fleet) -> list[Rollback]:
    """One rollback of each service, each at its approval."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(service: str) -> Rollback:
        async with free:
            rollback = await made.start(service)
            while not await _waits(rollback):
                await asyncio.sleep(0.2)
            return rollback

    return list(await asyncio.gather(*(one(service) for service in made.worlds)))


async def _waits(rollback: Rollback) -> bool:
    try:
        return (await rollback.status()).state is State.WAITING_FOR_APPROVAL
    except Unreachable:  # a busy machine: asked again
        return False


async def events(made: Fleet, rollbacks: list[Rollback]) -> int:
    """Events in all histories, parents and children."""
    handles: list[WorkflowHandle[object, object]] = [
        made.client.get_workflow_handle(rollback.id) for rollback in rollbacks
    ]
    handles += [made.client.get_workflow_handle(service_id(made.env, s)) for s in made.worlds]
    free = asyncio.Semaphore(AT_ONCE)

    async def length(handle: WorkflowHandle[object, object]) -> int:
        async with free:
            return (await handle.describe()).history_length

    return sum(await asyncio.gather(*(length(handle) for handle in handles)))


async def approved(rollbacks: list[Rollback]) -> int:
    """How many of a few that waited end verified once somebody approves them."""

    async def one(rollback: Rollback) -> bool:
        vote = Vote(plan=(await rollback.status()).digest, by="bench")
        await rollback.vote(Decision.APPROVE, vote, vote_id=f"vote-{rollback.id}")
        return (await rollback.result()).result is Result.VERIFIED

    return sum(await asyncio.gather(*(one(rollback) for rollback in rollbacks[:APPROVED])))


async def wait(options: argparse.Namespace) -> dict[str, object]:
    """The figures."""
    deadline = {"required": True, "deadline_s": timedelta(days=1).total_seconds()}
    asked: dict[str, object] = {"approval": deadline}
    async with own_temporal(on_disk=True) as own:
        client = await own.client()
        here = fleet(client, own.folder, services=options.count, policy=asked)
        async with here as made, made.worker(cached=options.cached):
            return await _measured(made, own.server.pid, options.seconds)


async def _measured(made: Fleet, temporal_pid: int, seconds: float) -> dict[str, object]:
    begun = time.monotonic()
    empty = Cost.of(temporal_pid)
    rollbacks = await all_waiting(made)
    say(f"{len(rollbacks)} wait after {time.monotonic() - begun:.0f} s; now {seconds:.0f} s of it")
    before, first = await events(made, rollbacks), Cost.of(temporal_pid)
    await asyncio.sleep(seconds)
    last = Cost.of(temporal_pid)
    grown = await events(made, rollbacks) - before
    return {
        "waiting": len(rollbacks),
        "seconds": seconds,
        "events_each": round(before / len(rollbacks), 1),
        "events_added": grown,
        "worker_cpu_s": round(last.worker_s - first.worker_s, 1),
        "temporal_cpu_s": round(last.temporal_s - first.temporal_s, 1),
        "worker_mib": round(last.worker_mib, 1),
        "worker_kib_each": round(1024 * (last.worker_mib - empty.worker_mib) / len(rollbacks), 1),
        "temporal_mib": round(last.temporal_mib, 1),
        "approved_afterwards": await approved(rollbacks),
        "of": min(APPROVED, len(rollbacks)),
    }


def main() -> None:
    """Exit 0 if waiting added no event and every approval afterwards led to a verified end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--cached", type=int, default=4000, help="workflows kept in memory")
    options = parser.parse_args()
    figures = asyncio.run(wait(options))
    print(json.dumps(figures, indent=None if options.json else 2))
    held = not figures["events_added"] and figures["approved_afterwards"] == figures["of"]
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
