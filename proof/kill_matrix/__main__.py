"""The kill matrix alone: `python -m proof.kill_matrix [--json] [--quick] [--seed N]`."""

import argparse
import asyncio
import json
import time

from proof.core_logs import errors_only
from proof.kill_matrix.figures import figures, table, told
from proof.kill_matrix.lanes import Lanes, matrix
from proof.kill_matrix.options import options, say
from proof.kill_matrix.run import Run
from workers.process import end

LANES = 3
QUICK = 48
"""Each strategy × fault × moment once."""


async def prove(options: argparse.Namespace) -> int:
    """Run it, tell it; 0 if everything held."""
    begun = time.monotonic()
    most = options.runs or (QUICK if options.quick else None)

    def tell_run(number: int, count: int, run: Run) -> None:
        say(told(number, count, run))
        for words in run.violations:
            say(f"    {words}")

    async with Lanes(options.lanes) as lanes:
        runs = await matrix(
            lanes, seed=options.seed, most=most, only=options.only, tell=say, told=tell_run
        )
    for line in table(runs):
        say(line)
    found = figures(runs, options.seed, time.monotonic() - begun, options.lanes)
    print(json.dumps(found) if options.json else json.dumps(found, indent=2))
    return 1 if found["violations"] else 0


def main() -> None:
    """The command line."""
    typed = options(
        "python -m proof.kill_matrix", __doc__, quick=QUICK, lanes=LANES, side_by_side="worlds"
    )
    errors_only()
    end(asyncio.run(prove(typed)))


if __name__ == "__main__":
    main()
