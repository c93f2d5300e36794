"""PetShop: is a fault seen where users come in, or only at the node that has it?

The set does not name the node at fault. "Most changed" is the node that stands out most, by errors
or by P95, of all others: at least as visible as the one at fault. What that choice costs, the same
rules show on the run without a fault. No old version runs beside, hence only tests without control;
the seasonal rule needs three former days, of which the fault-free run has two.
"""

from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from benchmarks.score.petshop_data import STEP_S, Case, Side, read_issues, read_normal
from benchmarks.score.shares import Figures, per_1000, words
from rollback_manager.metrics.reading import Reading
from rollback_manager.statistics.evidence import Answer, Arm, Interval
from rollback_manager.statistics.release_watch import History, ReleaseWatch
from rollback_manager.statistics.static import ERROR_LIMIT, LEAST_REQUESTS, judge_static

Test = Callable[[Side], bool]
STUDY = {
    ("seed: errors > 10 %", "front"): "0 of 32",
    ("seed: errors > 10 %", "most changed"): "10 of 32 at the node at fault",
    ("seed: P95 > 200 %", "front"): "4 of 28",
    ("seed: P95 > 200 %", "most changed"): "25 of 28 at the node at fault",
}
"""Of the study that the goals come from, on the 60 of all 68 issues that have a size."""


def many_errors(side: Side) -> bool:
    """The seed's critical error rate in one step."""
    return any(one.error_ratio > ERROR_LIMIT for one in _judged(side.after))


def twice_as_slow(side: Side) -> bool:
    """The seed's latency: P95 of one step above twice that of before."""
    return slowdown(side) > 2


def three_of_five(side: Side) -> bool:
    """`judge_static` as shipped, on steps of five minutes instead of one."""
    limit = None if side.p95_before is None else 2 * side.p95_before
    every = (*side.before, *side.after)
    looks = [every[: len(side.before) + n + 1] for n in range(len(side.after))]
    answers = [judge_static(look, latency_limit_ms=limit).answer for look in looks]
    return Answer.REGRESSED in answers


def more_errors(side: Side) -> bool:
    """The sequential test of errors as shipped, beside the error ratio of before the onset."""
    watch = ReleaseWatch.begin(History(side.errors_before), share=0.5)
    nothing = Arm.of(0, 0)
    for number, one in enumerate(side.after, 1):
        new = Arm.of(one.requests, one.errors, timed=0)
        watch = watch.with_more(Interval.of(STEP_S * number, STEP_S, new, nothing))
        if watch.errors.regressed[0]:
            return True
    return False


TESTS: dict[str, tuple[str, Test]] = {
    "seed: errors > 10 %": ("availability", many_errors),
    "shipped: sequential, errors": ("availability", more_errors),
    "seed: P95 > 200 %": ("latency", twice_as_slow),
    "shipped: static 3 of 5": ("both", three_of_five),
}
"""Name → of which issues, and the test."""


def rise(side: Side) -> float:
    """How far the error ratio of the worst step after is above that of before."""
    worst = max((one.error_ratio for one in _judged(side.after)), default=0.0)
    return worst - side.errors_before if _judged(side.before) else 0.0


def slowdown(side: Side) -> float:
    """P95 of the worst step after ÷ the one before."""
    after = [one.latency_p95_ms for one in _judged(side.after) if one.latency_p95_ms]
    before = side.p95_before if _judged(side.before) else None
    return max(after, default=0.0) / before if before else 0.0


def _judged(readings: tuple[Reading, ...]) -> list[Reading]:
    return [one for one in readings if one.requests >= LEAST_REQUESTS]


def most_changed(case: Case, kind: str) -> Side:
    """The node, other than the front, that stands out most."""
    inner = [side for name, side in case.sides.items() if name != case.front]
    return max(inner, key=slowdown if kind == "latency" else rise)


def score_petshop(data: Path) -> Figures | None:
    """The figures; None where the folder has no issue."""
    issues = read_issues(data / "petshop")
    if not issues:
        return None
    normal = read_normal(data / "petshop", issues[0].front)
    return {
        "issues": {k: sum(c.kind == k for c in issues) for k in ("availability", "latency")},
        "fault_free_stretches": len(normal),
        "tests": {name: _test(*test, issues, normal) for name, test in TESTS.items()},
        "worst_errors_percent": _range([_worst(one) for one in issues if one.kind != "latency"]),
        "subset": "a part of the study's 68 issues; the node at fault is not named",
    }


def _test(kind: str, test: Test, issues: list[Case], normal: list[Case]) -> Figures:
    concerned = [case for case in issues if kind in (case.kind, "both")]
    places: dict[str, Callable[[Case], Side]] = {
        "front": lambda case: case.sides[case.front],
        "most changed": lambda case: most_changed(case, kind if case.kind == "none" else case.kind),
    }
    return {
        place: {
            "found": sum(test(side(case)) for case in concerned),
            "of": len(concerned),
            "false": per_1000(sum(test(side(case)) for case in normal), len(normal)),
        }
        for place, side in places.items()
    }


def _worst(case: Case) -> float:
    return max((100 * one.error_ratio for one in case.sides[case.front].after), default=0.0)


def _range(values: list[float]) -> list[float]:
    return [round(min(values), 1), round(max(values), 1)] if values else []


def petshop_table(figures: Figures) -> Table:
    """What is shown."""
    worst = figures["worst_errors_percent"]
    table = Table(
        title=f"PetShop, issues {figures['issues']}: found within their steps",
        caption=f"worst errors at the front, availability issues: {worst} % (study: 0.6 to 8.8)",
    )
    for name in ("test", "place", "found", "false per 1,000 fault-free", "study (68 issues)"):
        table.add_column(name)
    for name, places in figures["tests"].items():
        for place, row in places.items():
            found = f"{row['found']} of {row['of']}"
            table.add_row(name, place, found, words(row["false"]), STUDY.get((name, place)))
    return table
