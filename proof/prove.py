"""`rollback-manager prove`: the proof on the reader's own machine, as a table and as JSON.

Its parts: the kill matrix, each mechanism taken out once, the soak, and the messages. `--quick` is
a fixed sample of each, made to end within ten minutes on two cores.
"""

import asyncio
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from proof.core_logs import errors_only
from proof.kill_matrix import figures, without
from proof.kill_matrix.killable import ROOT
from proof.kill_matrix.lanes import Lanes, matrix
from proof.kill_matrix.placement import STRATEGIES
from proof.kill_matrix.run import Run
from proof.soak import __main__ as soak
from rollback_manager.errors import RollbackError
from starters import console
from workers.process import end, say

Figures = dict[str, object]
INTERRUPTED = 130


@dataclass(frozen=True)
class Size:
    """How much of each part; None: all of it. matrix_s: then no run of it is begun any more."""

    matrix: int | None
    matrix_s: float
    soak: int
    messages: int


WHOLE = Size(matrix=None, matrix_s=math.inf, soak=500, messages=5_010)
QUICK = Size(matrix=48, matrix_s=240, soak=24, messages=60)
"""Of the matrix each strategy × fault × moment once, or on a slow machine most of that."""


def prove(
    quick: Annotated[
        bool, typer.Option("--quick", help="A fixed sample: within ten minutes")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as the last line")] = False,
    seed: Annotated[int, typer.Option(help="All that is drawn is drawn from it")] = 1,
    lanes: Annotated[int, typer.Option(min=1, max=16, help="Worlds side by side")] = 3,
) -> None:
    """Prove here that nothing is lost or done twice: killed, frozen and cut off at every step."""
    errors_only()
    try:
        found = asyncio.run(_all(QUICK if quick else WHOLE, seed, lanes))
    except RollbackError as error:
        say(str(error))
        end(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted; everything was stopped")
        end(INTERRUPTED)
    print(json.dumps(found, indent=None if as_json else 2))
    end(1 if found["violations"] else 0)


async def _all(size: Size, seed: int, lanes: int) -> Figures:
    begun = time.monotonic()
    killed, rows = await _kill_matrix(size, seed, lanes)
    soaked = await _soak(size.soak, seed)
    messages = await asyncio.to_thread(_messages, size.messages, seed)
    return together(killed, rows, soaked, messages, seed, time.monotonic() - begun)


async def _kill_matrix(size: Size, seed: int, lanes: int) -> tuple[Figures, list[without.Row]]:
    begun = time.monotonic()
    say("kill matrix: rollbacks in small real worlds, disturbed at every step")
    async with Lanes(lanes) as running:
        runs = await matrix(
            running, seed=seed, most=size.matrix, within_s=size.matrix_s, tell=say, told=_told
        )
        say("mechanisms: each taken out once, to show that the oracle would see it")
        rows = await without.rows(running)
    for line in (*figures.table(runs), *map(str, rows)):
        say(line)
    asked = len(runs) if size.matrix is None else size.matrix + len(STRATEGIES)
    found = figures.figures(runs, seed, time.monotonic() - begun, lanes)
    return {**found, "not_begun": max(0, asked - len(runs))}, rows


def _told(number: int, count: int, run: Run) -> None:
    for line in (figures.told(number, count, run), *run.violations):
        say(line)


async def _soak(runs: int, seed: int) -> Figures:
    say(f"soak: {runs} random rollbacks of 1 to 12 services with up to 4 faults at once")
    seeds, begun = range(seed, seed + runs), time.monotonic()
    done = await soak.soak(seeds, soak.tell)
    return soak.figures(done, seeds, time.monotonic() - begun)


def _messages(sequences: int, seed: int) -> Figures:
    """In a process of its own: it has a server and an event loop of its own."""
    if importlib.util.find_spec("hypothesis") is None:
        say("messages: not run, Hypothesis is not installed (pip install hypothesis)")
        return {"sequences": 0, "disagreements": 0, "not_run_because": "no Hypothesis here"}
    say(f"messages: {sequences} random sequences against the decision automaton")
    command = [sys.executable, "-m", "proof.messages", "--json"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = subprocess.run(
        [*command, "--sequences", str(sequences), "--seed", str(seed)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    lines = ended.stdout.decode().splitlines()
    if not lines:
        return {"sequences": 0, "disagreements": 1, "not_run_because": f"code {ended.returncode}"}
    found: Figures = json.loads(lines[-1])
    return found


def together(
    killed: Figures,
    rows: Sequence[without.Row],
    soaked: Figures,
    messages: Figures,
    seed: int,
    seconds: float,
) -> Figures:
    """One object: sums over all parts, then each part."""
    needless = [
        {"run": f"mechanism {row.mechanism}", "because": [str(row)]}
        for row in rows
        if not row.is_needed
    ]
    disagreed = (
        [{"run": "messages", "because": [str(messages)]}] if messages["disagreements"] else []
    )
    counts = (killed["runs"], len(rows) * 2, soaked["runs"], messages["sequences"])
    return {
        "runs": sum(count for count in counts if isinstance(count, int)),
        "violations": [*_listed(killed), *_listed(soaked), *needless, *disagreed],
        "seeds": [seed],
        "seconds": round(seconds, 1),
        "by_strategy": killed["by_strategy"],
        "by_fault": killed["by_fault"],
        "by_moment": killed["by_moment"],
        "by_mechanism": {
            str(row.mechanism): {
                "fault": row.fault,
                "with": list(row.with_it),
                "without": [words[:300] for words in row.without_it],
                "needed": row.is_needed,
            }
            for row in rows
        },
        "kill_matrix": killed,
        "soak": soaked,
        "messages": messages,
    }


def _listed(part: Figures) -> list[object]:
    found = part["violations"]
    return found if isinstance(found, list) else []


def main() -> None:
    """`rollback-manager prove`."""
    console.main(console.single(prove))


if __name__ == "__main__":
    main()
