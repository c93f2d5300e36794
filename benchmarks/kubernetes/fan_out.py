"""One rollback of many services at once, beside kubectl in a loop and kubectl ten at a time."""

import asyncio
import os
import shlex
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import progress
from benchmarks.kubernetes import requests
from benchmarks.kubernetes.ground import Ground, Placed, verified
from benchmarks.kubernetes.observer import Place
from benchmarks.kubernetes.race import REST_S, run

PODS = 2
AT_ONCE = 10
"""Of `xargs -P`."""
MIB = 1024 * 1024
SAMPLE_S = 0.1


@dataclass(frozen=True)
class Spread:
    """So many services over so many namespaces; `width` of them are under way at once."""

    services: int
    namespaces: int
    width: int

    @property
    def env(self) -> str:
        """Its environment, and its name in the answer."""
        return f"{self.namespaces}ns-width{self.width}"

    @property
    def fleet(self) -> dict[str, object]:
        """Its fleet policy."""
        return {"width": self.width, "budget": 1000}

    @property
    def placed(self) -> dict[tuple[str, str], Placed]:
        """Each service in its namespace."""
        return {
            (self.env, f"f{number}"): Placed(Place(self._namespace(number), f"f{number}"), PODS)
            for number in range(self.services)
        }

    def _namespace(self, number: int) -> str:
        return f"fan-{self.namespaces}-{number % self.namespaces}"


def spreads(services: int) -> list[Spread]:
    """One namespace and twenty; narrow and wide."""
    if not services:
        return []
    many = min(20, services)
    return [Spread(services, spaces, width) for spaces in (1, many) for width in (10, 50)]


async def fan_out(ground: Ground, spread: Spread) -> dict[str, Any]:
    """Ours once. The Deployments may be there from another width."""
    placed = spread.placed
    await _ready(ground, list(placed.values()))
    for env, name in placed:
        ground.record(env, name)
    await asyncio.sleep(REST_S)
    mark, at = len(ground.plane.ledger), requests.now()
    begun = time.perf_counter()
    async with _peak_mib() as peak:
        back = asyncio.create_task(ground.back(*placed.values()))
        await verified(await ground.start(spread.env, *(name for _, name in placed)))
        seconds = time.perf_counter() - begun
        all_back = await back - begun
    calls = requests.ours(ground.plane.ledger, mark, at, requests.now())
    found = {
        "all_back_s": round(all_back, 2),
        "verified_s": round(seconds, 2),
        "requests": len(calls),
        "requests_per_s": round(len(calls) / seconds, 2),
        "requests_each": round(len(calls) / spread.services, 2),
        "requests_per_s_and_service_under_way": round(
            len(calls) / seconds / min(spread.width, spread.services), 2
        ),
        "requests_in_busiest_second": requests.in_busiest_second(calls),
        "refused": sum(one.status >= 400 for one in calls),
        "kinds": dict(requests.kinds(calls)),
        "worker_peak_mib": round(peak[0], 1),
        "worker_mib_before": round(peak[1], 1),
    }
    progress(f"{spread.env}: {found}")
    await ground.look_after_no_more(spread.env, *(name for _, name in placed))
    return found


async def by_kubectl(ground: Ground, spread: Spread, at_once: int) -> dict[str, Any]:
    """undo and status of each: one after the other, or `at_once` by xargs."""
    placed = list(spread.placed.values())
    await _ready(ground, placed)
    await asyncio.sleep(REST_S)
    begun = time.perf_counter()
    back = asyncio.create_task(ground.back(*placed))
    names = "\n".join(f"{one.place.namespace} {one.place.app}" for one in placed)
    kubectl = shlex.join(ground.kubectl)
    each = " && ".join(f'{kubectl} -n "$1" rollout {verb} deployment/"$2"' for verb in VERBS)
    command = f"printf %s {shlex.quote(names)} | xargs -L1 -P{at_once} sh -c {shlex.quote(each)} -"
    await run(["sh", "-c", command])
    seconds = time.perf_counter() - begun
    found = {"all_back_s": round(await back - begun, 2), "seconds": round(seconds, 2)}
    progress(f"{spread.env} by kubectl, {at_once} at once: {found}")
    return found


VERBS = ("undo", "status")


async def _ready(ground: Ground, placed: list[Placed]) -> None:
    """The bad version is out everywhere."""
    new = [one for one in placed if not ground.observer.knows(one.place)]
    if new:
        await ground.create(*new)
    await ground.release_bad(*placed)


@asynccontextmanager
async def _peak_mib() -> AsyncIterator[list[float]]:
    """Most memory of this process within the block, and what it had before."""
    before = resident_mib()
    found = [before, before]

    async def sample() -> None:
        while True:
            found[0] = max(found[0], resident_mib())
            await asyncio.sleep(SAMPLE_S)

    task = asyncio.create_task(sample())
    try:
        yield found
    finally:
        task.cancel()


def resident_mib() -> float:
    """Memory of this process, in which the worker is."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def environments(all_: Iterable[Spread]) -> dict[str, dict[str, object]]:
    """Environment → its fleet policy."""
    return {one.env: one.fleet for one in all_}
