"""The kill matrix alone: `python -m proof.kill_matrix [--json] [--quick] [--seed N]`."""

import argparse
import asyncio
import json
import sys
import time

from proof.core_logs import errors_only
from proof.kill_matrix.figures import figures, table, told
from proof.kill_matrix.lanes import Lanes, matrix
from proof.kill_matrix.run import Run
from workers.process import end

LANES = 3
QUICK = 48
"""Each strategy × fault × moment once."""


def say(words: str) -> None:
    """Progress goes to stderr: stdout is for the figures."""
    print(words, file=sys.stderr, flush=True)


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
    parser = argparse.ArgumentParser(prog="python -m proof.kill_matrix", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help=f"a sample of {QUICK} runs")
    parser.add_argument("--runs", type=int, help="a sample of so many runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=LANES, help="worlds side by side")
    parser.add_argument("--only", default="", help="only runs whose names contain this")
    options = parser.parse_args()
    errors_only()
    end(asyncio.run(prove(options)))


if __name__ == "__main__":
    main()
