"""`make rolling`: seconds below the floor and failed requests, ours and a naive script's."""

import argparse
import asyncio
import json
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path

from temporalio.client import Client

from proof.own_temporal import own_temporal
from proof.rolling import naive, ours
from proof.rolling.scene import FLOOR, Seconds, judge, now, scene
from rollback_manager.progress import Result

SLOWEST_S = 6.0
"""Longest warm-up that is drawn; each run's good version has one of its own."""


def say(words: str) -> None:
    """Progress: stdout is for the result."""
    print(words, file=sys.stderr, flush=True)


class Comparison:
    """All runs, some side by side."""

    def __init__(self, client: Client, folder: Path, rate: float, seed: int) -> None:
        self._client, self._folder, self._rate = client, folder, rate
        self._chance = random.Random(seed)
        self.ours: list[Seconds] = []
        self.naive: list[Seconds] = []
        self.violations: list[str] = []

    async def run(self, runs: int, lanes: int) -> None:
        """Each run once by us and once by the script, under the same warm-up."""
        drawn = [round(self._chance.uniform(0, SLOWEST_S), 1) for _ in range(runs)]
        free = asyncio.Semaphore(lanes)

        async def one(number: int, warm_up_s: float) -> None:
            async with free:
                seconds = await self._ours(number, warm_up_s)
                await asyncio.to_thread(self._script, warm_up_s)
                say(f"run {number + 1} of {runs}, warm-up {warm_up_s} s: {seconds}")

        await asyncio.gather(*(one(n, warm_up_s) for n, warm_up_s in enumerate(drawn)))

    async def _ours(self, number: int, warm_up_s: float) -> Seconds:
        here = scene(self._rate, warm_up_s)
        there = await asyncio.to_thread(here.__enter__)
        try:
            begun = now()
            own = self._folder / f"run-{number}"
            outcome = await ours.roll_back(self._client, there.world, own, f"rolling-{number}")
            await asyncio.sleep(1)
            seconds = judge(there, begun)
        finally:
            await asyncio.to_thread(here.__exit__, None, None, None)
        self.ours.append(seconds)
        if outcome.result is not Result.VERIFIED:
            self.violations.append(f"run {number} ended {outcome.result}: {outcome.because}")
        if seconds.below_floor or seconds.failed_by_us:
            self.violations.append(f"run {number}, warm-up {warm_up_s} s: {seconds}")
        return seconds

    def _script(self, warm_up_s: float) -> None:
        with scene(self._rate, warm_up_s) as there:
            begun = now()
            naive.roll_back(there.world)
            time.sleep(warm_up_s + 1)
            self.naive.append(judge(there, begun))


def summed(runs: list[Seconds]) -> dict[str, int]:
    """Sums over all runs, and the fewest ready instances of any."""
    rows = [asdict(run) for run in runs]
    sums = {name: sum(row[name] for row in rows) for name in rows[0]}
    return sums | {"lowest_ready": min(run.lowest_ready for run in runs)}


async def compare(options: argparse.Namespace) -> tuple[dict[str, object], bool]:
    """The figures, and whether everything held."""
    begun = time.monotonic()
    async with own_temporal() as own:
        comparison = Comparison(await own.client(), own.folder, options.rate, options.seed)
        await comparison.run(options.runs, options.lanes)
    figures = {
        "runs": len(comparison.ours),
        "violations": comparison.violations,
        "seeds": [options.seed],
        "floor": FLOOR,
        "ours": summed(comparison.ours),
        "naive_script": summed(comparison.naive),
        "seconds": round(time.monotonic() - begun, 1),
    }
    return figures, not comparison.violations


def main() -> None:
    """Exit 0 if no second of ours was below the floor and no request failed by us."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--lanes", type=int, default=3, help="runs side by side")
    parser.add_argument("--rate", type=float, default=60, help="requests/s of each run")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures, held = asyncio.run(compare(options))
    print(json.dumps(figures, indent=None if options.json else 2))
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
