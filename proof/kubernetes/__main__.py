"""The kill matrix on Kubernetes: `python -m proof.kubernetes [--json] [--quick] [--seed N]`."""

import argparse
import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence

from proof.core_logs import errors_only
from proof.kill_matrix.figures import figures, table, told
from proof.kill_matrix.lanes import nowhere
from proof.kill_matrix.options import options, say
from proof.kill_matrix.points import Point, points, sample
from proof.kill_matrix.run import Run
from proof.kubernetes import without
from proof.kubernetes.bench import Bench
from proof.kubernetes.mechanisms import Mechanism
from proof.kubernetes.oracle import violations
from proof.kubernetes.placement import PLACEMENTS
from proof.kubernetes.run import carry_out
from workers.process import end

LANES = 4
"""Rollbacks at once on one control plane: a run mostly waits."""
QUICK = 60
"""Each placement × fault × moment once."""


async def prove(options: argparse.Namespace) -> int:
    """Run it, tell it; 0 if everything held and every mechanism was missed."""
    begun = time.monotonic()
    async with Bench() as bench:
        say("the control plane is up; first an undisturbed rollback of each placement")
        runs = [await _undisturbed(bench, name) for name in PLACEMENTS]
        chosen = _chosen(bench, options)
        runs += await _shared_out(bench, chosen, options.lanes)
        missed = {} if options.only else await _missed(bench)
    for line in table(runs):
        say(line)
    found = figures(runs, options.seed, time.monotonic() - begun, options.lanes)
    found["mechanisms"] = missed
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))
    all_missed = all(row["with"] == 0 and row["without"] > 0 for row in missed.values())
    return 0 if all_missed and not found["violations"] else 1


async def _undisturbed(bench: Bench, name: str) -> Run:
    begun = time.monotonic()
    account = await bench.reference(name)
    run = Run(nowhere(name), violations(account, None), time.monotonic() - begun)
    say(told(0, 0, run) + "".join(f"\n    {words}" for words in run.violations))
    return run


def _chosen(bench: Bench, options: argparse.Namespace) -> Sequence[Point]:
    whole = [
        point
        for name in PLACEMENTS
        for point in points(name, bench.references[name].planned, options.seed)
        if options.only in str(point)
    ]
    most = options.runs or (QUICK if options.quick else None)
    chosen = whole if most is None else sample(whole, most, options.seed)
    say(f"{len(chosen)} of {len(whole)} runs, seed {options.seed}")
    return chosen


async def _shared_out(bench: Bench, chosen: Sequence[Point], lanes: int) -> list[Run]:
    left, runs = deque(chosen), list[Run]()

    async def lane() -> None:
        while left:
            run = await carry_out(bench, left.popleft())
            runs.append(run)
            say(
                told(len(runs), len(chosen), run)
                + (f" ({run.late_write})" if run.late_write else "")
            )
            for words in run.violations:
                say(f"    {words}")

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return runs


async def _missed(bench: Bench) -> dict[str, dict[str, int]]:
    """How many violations were seen with each mechanism, and without it."""
    found: dict[str, dict[str, int]] = {}
    for mechanism in Mechanism:
        seen = [await without.judged(bench, mechanism, without=taken) for taken in (False, True)]
        found[mechanism] = {"with": len(seen[0]), "without": _harm(seen[1])}
        say(
            f"{mechanism}: {seen[0] or 'held with it'}; without it: {seen[1] or 'NOTHING WAS SEEN'}"
        )
    return found


def _harm(seen: Sequence[str]) -> int:
    return sum(not words.startswith("M:") for words in seen)


def main() -> None:
    """The command line."""
    typed = options(
        "python -m proof.kubernetes", __doc__, quick=QUICK, lanes=LANES, side_by_side="rollbacks"
    )
    errors_only()
    end(asyncio.run(prove(typed)))


if __name__ == "__main__":
    main()
