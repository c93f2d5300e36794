"""`python -m benchmarks.score_data`: how many rows of other judges' tests our judges agree with.

Progress and each disagreement go to stderr; the last line of stdout is one JSON object.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.vectors import GROUPS, ROWS, Vector, vectors


def main(
    data: Annotated[Path, typer.Option(help="Folder with kayenta/ and argo/ in it.")] = ROWS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON object alone.")] = False,
) -> None:
    """Score all rows; ends with 1 if the folder has none."""
    by_file: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for vector in vectors(data):
        by_file[vector.group, vector.suite].append(_agrees(vector))
    answers = [answer for file in by_file.values() for answer in file]
    figures: dict[str, object] = {
        group: {
            suite: f"{sum(file)}/{len(file)}" for (g, suite), file in by_file.items() if g == group
        }
        for group in GROUPS
    }
    if not as_json:
        for (group, suite), file in by_file.items():
            print(f"{group}/{suite}: {sum(file)} of {len(file)} rows agree")
    print(json.dumps({**figures, "rows": len(answers), "agreeing": sum(answers)}))
    raise typer.Exit(0 if answers else 1)


def _agrees(vector: Vector) -> bool:
    why_not = vector.disagreement()
    print(f"{vector.name}: {why_not or 'agrees'}", file=sys.stderr)
    return not why_not


if __name__ == "__main__":
    typer.run(main)
