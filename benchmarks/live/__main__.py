"""`make bench-live`: progress and tables on stderr; `--json`: one object, last line of stdout."""

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.figures import progress
from benchmarks.live.figures import LIMITS_S, Figures, Kind, Spread, figures
from benchmarks.live.plan import runs
from benchmarks.live.series import kept, series, still_to_make
from demo.scenarios import SCENARIOS
from workers.process import end


def main(
    rounds: Annotated[int, typer.Option("--runs", min=1, help="Times through the scenarios")] = 3,
    scenario: Annotated[
        str, typer.Option(help="In this order; one that stands twice is played twice")
    ] = ",".join(SCENARIOS),
    seed: Annotated[int, typer.Option(help="Of the moments at which faults begin")] = 1,
    at_once: Annotated[int, typer.Option(min=1, max=4, help="Worlds side by side")] = 1,
    within_s: Annotated[float, typer.Option(help="Then no run is begun any more")] = float("inf"),
    out: Annotated[
        Path | None, typer.Option(help="File of runs, one a line; a series in it goes on")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object as the last line")] = False,
) -> None:
    """Seconds from the first bad answer to users who are well, in the demo's world."""
    names = scenario.split(",")
    if unknown := sorted(set(names) - set(SCENARIOS)):
        known = ", ".join(SCENARIOS)
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {known}", param_hint="scenario")
    file = out or Path(tempfile.mkstemp(prefix="live-", suffix=".jsonl")[1])
    progress(f"every run is kept in {file}")
    asked = still_to_make(runs(names, rounds, seed), kept(file))
    try:
        asyncio.run(_interruptible(series(asked, file, at_once, within_s)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress("interrupted; what was played is kept, and the same command goes on")
    found = figures(kept(file))
    _show(found)
    print(found.model_dump_json(indent=None if as_json else 2), flush=True)
    end(1 if found.failed or found.wrong else 0)


async def _interruptible(playing: object) -> None:
    """TERM ends it as Ctrl-C does: the worlds are ended, the runs so far are summed up."""
    task = asyncio.ensure_future(playing)  # type: ignore[call-overload]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def _show(found: Figures) -> None:
    console = Console(stderr=True, width=110)
    times = Table(title="Seconds from the first bad answer: median (quartiles) worst, and in time")
    names = ("incident", "decision", "change", "away", "verified")
    for column in ("", *names):
        times.add_column(column)
    for name, kind in found.scenarios.items():
        if kind.seconds:
            times.add_row(f"{name}, {kind.runs}", *(_cell(kind, stage) for stage in names))
    console.print(times)
    ends = Table(title=f"Ends; the shortest watch of a good release: {found.watched_well_s} s")
    counts = ("runs", "failed", "wrong", "disturbed", "incidents", "rolled_back", "false_rollbacks")
    for column in ("", *counts, "lost requests", "slow answers"):
        ends.add_column(column)
    for name, kind in found.scenarios.items():
        shown = kind.model_dump()
        ends.add_row(name, *(str(shown[c]) for c in counts), _words(kind.lost), _words(kind.late))
    console.print(ends)
    for one in (*found.failed, *found.wrong):
        console.print(f"{one.run}: {one.because} {one.kept}", soft_wrap=True)


def _cell(kind: Kind, stage: str) -> str:
    limit = f"\n≤ {LIMITS_S[stage]} s: {kind.within[stage]:.0%}" if stage in LIMITS_S else ""
    return _words(kind.seconds[stage]) + limit


def _words(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.median:g} ({spread.low:g} – {spread.high:g}) {spread.worst:g}"


if __name__ == "__main__":
    typer.run(main)
