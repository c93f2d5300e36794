"""`make soak ARGS="--json --runs N --seed S"`: random rollbacks with faults, each from its seed."""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from temporalio.client import Client

from proof.core_logs import errors_only
from proof.in_process import quick_looks
from proof.own_temporal import own_temporal
from proof.soak.drawing import Drawn, drawn
from proof.soak.run import Soak, Soaked
from workers.process import end

AT_ONCE = 16
"""Services under way at once, of however many rollbacks: what two cores carry without starving."""
RUNS = 500
Told = Callable[[int, Soaked], None]


async def soak(seeds: Sequence[int], told: Told, *, at_once: int = AT_ONCE) -> list[Soaked]:
    """One rollback for each seed, on a Temporal of its own."""
    async with own_temporal() as own:
        return await soaked(await own.client(), own.folder, seeds, told, at_once=at_once)


async def soaked(
    client: Client, folder: Path, seeds: Sequence[int], told: Told, *, at_once: int = AT_ONCE
) -> list[Soaked]:
    """The same on a Temporal that runs already; so many services under way at once."""
    one, room, done = Soak(client, folder), Room(at_once), list[Soaked]()

    async def run(drawn: Drawn) -> None:
        try:
            done.append(await one.run(drawn))
        finally:
            await room.give(len(drawn.strategies))
        told(len(done), done[-1])

    with quick_looks(), quiet():
        async with asyncio.TaskGroup() as group:
            for each in map(drawn, seeds):
                await room.take(len(each.strategies))
                group.create_task(run(each))
    return done


class Room:
    """For so many services; one rollback may be larger than all of it, and then runs alone."""

    def __init__(self, services: int) -> None:
        self._whole = self._free = services
        self._changed = asyncio.Condition()

    async def take(self, services: int) -> None:
        """Wait until there is room for them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= min(services, self._whole))
            self._free -= services

    async def give(self, services: int) -> None:
        """They have ended."""
        async with self._changed:
            self._free += services
            self._changed.notify_all()


@contextmanager
def quiet() -> Iterator[None]:
    """Without Temporal's word on every activity that fails as it was meant to."""
    logger = logging.getLogger("temporalio")
    before, logger.level = logger.level, logging.CRITICAL
    try:
        yield
    finally:
        logger.level = before


def figures(runs: Sequence[Soaked], seeds: Sequence[int], seconds: float) -> dict[str, object]:
    """The last line of stdout. seeds: first and last; each run is drawn from its own alone."""
    broken = [run for run in runs if run.violations]
    troubles = Counter(fault.trouble for run in runs for fault in run.drawn.faults)
    return {
        "runs": len(runs),
        "services": sum(len(run.drawn.strategies) for run in runs),
        "violations": [
            {"run": str(run.drawn), "seed": run.drawn.seed, "because": list(run.violations)}
            for run in broken
        ],
        "seeds": [seeds[0], seeds[-1]],
        "seconds": round(seconds, 1),
        "by_faults_at_once": dict(sorted(Counter(len(r.drawn.faults) for r in runs).items())),
        "by_fault": {str(name): count for name, count in sorted(troubles.items())},
        "by_strategy": dict(Counter(s for run in runs for s in run.drawn.strategies)),
        "by_result": dict(Counter(run.result for run in runs)),
    }


def tell(number: int, run: Soaked) -> None:
    """Progress goes to stderr: stdout is for the figures."""
    verdict = run.result if not run.violations else f"VIOLATED: {'; '.join(run.violations)}"
    print(f"[{number:>4}] {run.drawn}: {verdict}, {run.seconds:.1f} s", file=sys.stderr, flush=True)


def main() -> None:
    """0 when nothing was violated."""
    parser = argparse.ArgumentParser(prog="python -m proof.soak", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; then one more each")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="services under way")
    options = parser.parse_args()
    errors_only()
    seeds, begun = range(options.seed, options.seed + options.runs), time.monotonic()
    runs = asyncio.run(soak(seeds, tell, at_once=options.at_once))
    found = figures(runs, seeds, time.monotonic() - begun)
    print(json.dumps(found, indent=None if options.json else 2))
    end(1 if found["violations"] else 0)


if __name__ == "__main__":
    main()
