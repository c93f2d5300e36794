"""`python -m benchmarks.detection`: tables on stderr; `--json`: one object, last line of stdout."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.detection.figures import measure
from benchmarks.detection.plan import Plan
from benchmarks.detection.results import Results

GOALS = {"errors_11": (77, 16, 5), "p95_x2.1": (45, 17, 12), "late_11": (127, 26, 14)}


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quick: Annotated[bool, typer.Option(help="Small samples, about three minutes.")] = False,
    healthy: Annotated[int, typer.Option(help="Healthy releases per cell; 0: as planned.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the first cell; others follow.")] = 20_300_115,
) -> None:
    """Measure how often good releases are blamed and how soon bad ones are noticed."""
    plan = Plan.quick(seed) if quick else Plan.full(seed)
    results = measure(plan.with_healthy(healthy) if healthy else plan)
    _show(results)
    if as_json:
        sys.stdout.write(json.dumps(results.as_json()) + "\n")


def _show(results: Results) -> None:
    console = Console(stderr=True, width=110)
    falses = Table(title="False rollbacks per 1,000 good releases (95 % interval)")
    for name in ("world", "family", *(f"{rps} rps" for rps in results.traffics)):
        falses.add_column(name)
    for (world, family), row in results.falses.items():
        falses.add_row(world, family, *(one.words for one in row.values()))
    console.print(falses)
    late = Table(title="Seconds from onset to alarm, median (95th percentile); 10 % canary")
    for name in ("fault", "family", *(f"{rps} rps" for rps in results.traffics), "goal"):
        late.add_column(name)
    for (fault, family), delay in results.delays.items():
        goal = "/".join(map(str, GOALS.get(fault, ()))) if family == "shipped" else ""
        late.add_row(fault, family, *(one.words for one in delay.values()), goal)
    console.print(late)
    console.print(f"requests lost to users, of static 3 of 5: {results.lost_ratio:.2f}")
    speeds = f"{results.updates_per_second:,.0f}, one release: {results.alone_per_second:,.0f}"
    console.print(f"updates/s on one core, a thousand releases at once: {speeds}")


if __name__ == "__main__":
    typer.run(main)
