"""What it costs the API server that releases are merely watched."""

import asyncio
from typing import Any

from benchmarks.figures import progress
from benchmarks.kubernetes import requests
from benchmarks.kubernetes.ground import Ground, Placed
from benchmarks.kubernetes.observer import Place
from rollback_manager.client import RollbackClient
from workers.watchdogs import watch_over

ENV = "watched"
SETTLE_S = 60.0


def placed(services: int) -> dict[tuple[str, str], Placed]:
    """All in one namespace; their good version runs, so that nothing is ever to be done."""
    return {(ENV, f"w{n}"): Placed(Place("watched", f"w{n}"), 2) for n in range(services)}


async def watched(ground: Ground, services: int, seconds: float) -> dict[str, Any]:
    """Requests while every service's release is looked at each second."""
    all_ = placed(services)
    await ground.create(*all_.values())
    for env, name in all_:
        ground.record_young(env, name)
    await watch_over(ground.client, ground.settings.task_queue, [ENV])
    await _until_watched(ground, services)
    mark, at = len(ground.plane.ledger), requests.now()
    await asyncio.sleep(seconds)
    ended = requests.now()
    calls = requests.ours(ground.plane.ledger, mark, at, ended)
    per_s = len(calls) / (ended - at).total_seconds()
    found = {
        "services": services,
        "seconds": round((ended - at).total_seconds(), 1),
        "requests_per_s": round(per_s, 2),
        "requests_per_s_and_service": round(per_s / services, 3),
        "kinds": dict(requests.kinds(calls)),
    }
    progress(f"watched: {found}")
    return found


async def _until_watched(ground: Ground, services: int) -> None:
    client = RollbackClient(ground.client)
    for _ in range(int(SETTLE_S)):
        await asyncio.sleep(1)
        seen = await client.watch(ENV)
        if len(seen.watch.releases) == services:
            return
    raise RuntimeError(f"{len(seen.watch.releases)} of {services} are watched: {seen}")
