"""`python -m benchmarks.replayed --policy FILE`: recorded decisions of demo runs, decided again.

What `decisions replay` does with the records of an environment, without one: the same judgement
over decisions that real runs of the demo left behind (`tests/data/decisions`).
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rollback_manager.decision.asked import Decisions
from rollback_manager.decision.ledger import Entry, replay
from rollback_manager.policy import DecisionPolicy
from rollback_manager.rendering import terminal_decisions
from starters import policy_file
from starters.refusals import UsageError

RECORDED = Path(__file__).parents[1] / "tests" / "data" / "decisions"


def recorded(folder: Path = RECORDED) -> list[Entry]:
    """All of them, oldest first."""
    files = sorted(folder.glob("*.json"))
    found = [
        Entry.model_validate(one)
        for file in files
        for one in json.loads(file.read_text(encoding="utf-8"))
    ]
    return sorted(found, key=lambda one: one.decision.decided_at)


def replayed(policy: DecisionPolicy, entries: list[Entry]) -> Decisions:
    """As the verb answers it."""
    changed = replay(policy, entries)
    return Decisions(
        kept=len(entries),
        labelled=sum(one.label is not None for one in entries),
        read=len(entries),
        changed=tuple(reversed(changed)),
        changed_in_all=len(changed),
    )


def main(
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As `decisions` in the catalogue.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show which verdicts on recorded demo incidents another policy would change, and why."""
    if policy is None:
        sys.stderr.write('no policy is named: make replay-recorded ARGS="--policy FILE"\n')
        raise typer.Exit(2)
    try:
        found = replayed(policy_file.read(policy), recorded())
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from error
    sys.stderr.write(terminal_decisions.replayed(found) + "\n")
    if as_json:
        sys.stdout.write(found.model_dump_json() + "\n")


if __name__ == "__main__":
    typer.run(main)
