"""What the runs add up to: a table for people, one object for programs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from proof.kill_matrix.points import Fault
from proof.kill_matrix.run import Run

Figures = dict[str, object]


def figures(runs: Sequence[Run], seed: int, seconds: float, lanes: int) -> Figures:
    """violations: in words, each with its run and what was drawn for it."""
    broken = [run for run in runs if run.violations]
    recovered = sorted(r.recovered_s for r in runs if r.recovered_s is not None)
    return {
        "runs": len(runs),
        "held": len(runs) - len(broken),
        "violations": [
            {
                "run": str(run.point),
                "seed": run.point.seed,
                "because": [w[:600] for w in run.violations],
            }
            for run in broken
        ],
        "seeds": [seed],
        "seconds": round(seconds, 1),
        "lanes": lanes,
        "seconds_per_run": round(sum(r.seconds for r in runs) / max(1, len(runs)), 1),
        "recovered_s": {"median": _at(recovered, 0.5), "worst": _at(recovered, 1.0)},
        "by_strategy": by(runs, lambda run: run.point.strategy),
        "by_fault": by(runs, lambda run: str(run.point.fault)),
        "by_moment": by(runs, lambda run: str(run.point.moment)),
        "by_activity": by(runs, lambda run: run.point.activity),
        "by_invariant": dict(Counter(w.partition(":")[0] for r in runs for w in r.violations)),
        "late_writes": dict(Counter(run.late_write for run in runs if run.late_write)),
    }


def by(runs: Iterable[Run], key: Callable[[Run], str]) -> dict[str, dict[str, int]]:
    """Runs, and how many of them held, by that."""
    found: dict[str, dict[str, int]] = {}
    for run in runs:
        row = found.setdefault(key(run), {"runs": 0, "held": 0})
        row["runs"] += 1
        row["held"] += not run.violations
    return found


def table(runs: Sequence[Run]) -> list[str]:
    """Held of carried out, a line per strategy, a column per fault."""
    faults = [fault for fault in Fault if any(run.point.fault is fault for run in runs)]
    lines = [f"{'':<16}" + "".join(f"{fault:>20}" for fault in faults)]
    for strategy in dict.fromkeys(run.point.strategy for run in runs):
        row = [run for run in runs if run.point.strategy == strategy]
        cells = [[run for run in row if run.point.fault is fault] for fault in faults]
        told = (f"{_held(cell)} of {len(cell)}" if cell else "" for cell in cells)
        lines.append(f"{strategy:<16}" + "".join(f"{one:>20}" for one in told))
    return lines


def told(number: int, count: int, run: Run) -> str:
    """The line of one run as it ends."""
    verdict = "held" if not run.violations else "VIOLATED"
    return f"[{number:>3}/{count}] {run.point}: {verdict}, {run.seconds:.1f} s"


def _held(runs: Iterable[Run]) -> int:
    return sum(not run.violations for run in runs)


def _at(row: Sequence[float], part: float) -> float | None:
    return round(row[min(len(row) - 1, int(part * len(row)))], 1) if row else None
