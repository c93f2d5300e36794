"""`python -m benchmarks.calibration`: tables on stderr; `--json`: one object, last on stdout."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.calibration.figures import Score, errors, measure
from benchmarks.calibration.mix import FULL, QUICK

PAST, FRESH = 20_330_101, 20_350_101
"""First seeds of both sets, far enough apart; neither was used to set anything."""
GOAL = 0.05
"""Expected calibration error."""


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quick: Annotated[bool, typer.Option(help="Small samples, a minute.")] = False,
) -> None:
    """Measure how often a stated confidence comes true."""
    results = measure(QUICK if quick else FULL, (PAST, FRESH))
    console = Console(stderr=True, width=110)
    console.print(_table("Calibrated confidence, all alarm levels", results.calibrated))
    console.print(_table("The seed's sum of signs, all alarm levels", results.seeds))
    console.print(_table("Calibrated, shipped threshold alone", results.calibrated_shipped))
    console.print(_table("The seed's, shipped threshold alone", results.seeds_shipped))
    console.print(_table("Calibrated, without a past of the service's own", results.fleet))
    console.print(f"goal {GOAL}; by requests/s: {errors(results.by_traffic)}, without an own past")
    console.print(f"{errors(results.fleet_by_traffic)}; nothing stated: {results.not_calibrated}")
    if as_json:
        sys.stdout.write(json.dumps(results.as_json()) + "\n")


def _table(title: str, score: Score) -> Table:
    error = f"expected calibration error {score.table.expected_error:.3f}, Brier {score.brier:.3f}"
    made = Table(title=f"{title}: {error}", title_justify="left")
    for name in ("stated", "alarms", "stated on average", "came true"):
        made.add_column(name)
    for one in score.table.bins:
        span = f"{one.stated_from:.1f} - {one.stated_from + 0.1:.1f}"
        made.add_row(span, str(one.count), f"{one.stated:.3f}", f"{one.came_true:.3f}")
    return made


if __name__ == "__main__":
    typer.run(main)
