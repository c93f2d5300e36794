"""`python -m benchmarks.score_data`: other people's labelled data, and what our judges say of it.

Rows of other judges' tests with which ours agree; faults of PetShop, labels of NAB, drops put into
Microsoft's metrics. Tables go to stderr, one JSON object is the last line of stdout.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.score.cloud_monitoring import cloud_monitoring_table, score_cloud_monitoring
from benchmarks.score.nab import nab_table, score_nab
from benchmarks.score.petshop import petshop_table, score_petshop
from benchmarks.score.shares import Figures
from benchmarks.vectors import GROUPS, ROWS, Vector, vectors

SETS: dict[str, tuple[Callable[[Path], Figures | None], Callable[[Figures], Table]]] = {
    "petshop": (score_petshop, petshop_table),
    "nab": (score_nab, nab_table),
    "cloud-monitoring": (score_cloud_monitoring, cloud_monitoring_table),
}
"""Folder → how it is scored, how the figures are shown."""


def main(
    data: Annotated[Path, typer.Option(help="Folder with a folder per set in it.")] = ROWS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON object alone.")] = False,
) -> None:
    """Score all sets of the folder; ends with 1 if it has no row of any."""
    figures = _rows(data, as_json)
    for name, (score, table) in SETS.items():
        figures[name] = found = score(data)
        if found is not None:
            Console(stderr=True, width=130).print(table(found))
    figures["missing"] = missing = _missing(figures)
    for name in missing:
        print(f"{name}: not scored, for {data / name} has none of its files", file=sys.stderr)
    print(json.dumps(figures))
    raise typer.Exit(1 if len(missing) == len(GROUPS) + len(SETS) else 0)


def _missing(figures: Figures) -> list[str]:
    return [name for name in (*GROUPS, *SETS) if not figures[name]]


def _rows(data: Path, as_json: bool) -> Figures:
    """Rows that agree, per file, and all together."""
    by_file: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for vector in vectors(data):
        by_file[vector.group, vector.suite].append(_agrees(vector))
    answers = [answer for file in by_file.values() for answer in file]
    figures: Figures = {
        group: {
            suite: f"{sum(file)}/{len(file)}" for (g, suite), file in by_file.items() if g == group
        }
        for group in GROUPS
    }
    if not as_json:
        for (group, suite), file in by_file.items():
            print(f"{group}/{suite}: {sum(file)} of {len(file)} rows agree")
    return {**figures, "rows": len(answers), "agreeing": sum(answers)}


def _agrees(vector: Vector) -> bool:
    why_not = vector.disagreement()
    print(f"{vector.name}: {why_not or 'agrees'}", file=sys.stderr)
    return not why_not


if __name__ == "__main__":
    typer.run(main)
