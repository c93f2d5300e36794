"""Microsoft's one-minute service metrics: drops put into real series, away from labels.

Rules as they are shipped have their own false share. For the comparison with the study, whose rules
have 10 false per 1,000, the limit of "at 10 false" is fitted on every second healthy watch; the
false share beside it is that of the others.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.score.rules import (
    OUR_RULES,
    Rule,
    can_be_judged,
    fall_by_season,
    fall_by_step,
    falls,
    first_of,
)
from benchmarks.score.series import Watch, quiet_watches, read_series
from benchmarks.score.shares import Figures, per_1000, words
from rollback_manager.statistics.evidence import Amounts

DROPS = (0.2, 0.35, 0.5, 0.7)
WATCHES = 240
"""Healthy ones per series; drops are put into every fourth."""
EVERY = 4
SEED = 20_261_128
FALSE = 0.01
NO_THROUGHPUT = "service-unavailable"
"""The group of a series in which a fall is good news."""
STUDY = {
    "seed: fall of 50 %": "false 4.2",
    "seed: fall of 20 %": "false 96",
    "1 min against the last hour": "4 / 23 / 98 / 100 %",
    "3 min against the season": "12 / 99 / 100 / 100 %",
}
"""Of the study that the goals come from: found at 10 false per 1,000, drops as in DROPS."""
SHIPPED = {"seed: fall of 50 %": falls(0.5), "seed: fall of 20 %": falls(0.2), **OUR_RULES}
FITTED: dict[str, Callable[[Watch], Amounts]] = {
    "1 min against the last hour": fall_by_step,
    "3 min against the season": fall_by_season,
}


def score_cloud_monitoring(data: Path, watches: int = WATCHES) -> Figures | None:
    """The figures; None where the folder has no series."""
    every = read_series(data / "cloud-monitoring")
    if not every:
        return None
    judged = [one for one in every if one.group != NO_THROUGHPUT]
    healthy = [
        watch
        for number, one in enumerate(judged)
        for watch in quiet_watches(one, watches, SEED + number, history=True)
    ]
    fitted = {name: _fitted(fall, healthy[::2]) for name, fall in FITTED.items()}
    return {
        "series": len(judged),
        "left_out": [one.name for one in every if one not in judged],
        "rules": {name: _rule(rule, healthy) for name, rule in SHIPPED.items()},
        "at_10_false": {name: _rule(rule, healthy[1::2]) for name, rule in fitted.items()},
        "can_be_judged": per_1000(sum(map(can_be_judged, healthy)), len(healthy)),
        "subset": "a part of the study's nine series",
    }


def _fitted(fall: Callable[[Watch], Amounts], healthy: list[Watch]) -> Rule:
    limit = float(np.quantile([fall(watch).max() for watch in healthy], 1 - FALSE))
    return lambda watch: first_of(fall(watch) > limit)


def _rule(rule: Rule, healthy: list[Watch]) -> Figures:
    false = sum(rule(watch) is not None for watch in healthy)
    chosen = healthy[::EVERY]
    return {
        "false": per_1000(false, len(healthy)),
        "drops": {f"{drop:.0%}": _found(rule, [w.fallen(drop) for w in chosen]) for drop in DROPS},
    }


def _found(rule: Rule, watches: list[Watch]) -> dict[str, float | None]:
    minutes = [rule(watch) or np.inf for watch in watches]
    median = float(np.quantile(minutes, 0.5, method="higher"))
    return {
        "found_percent": round(100 * float(np.isfinite(minutes).mean()), 1),
        "median_min": median if np.isfinite(median) else None,
    }


def cloud_monitoring_table(figures: Figures) -> Table:
    """What is shown: per drop the share found and the median minutes from its begin."""
    title = f"Microsoft cloud monitoring, {figures['series']} series: drops found in 30 minutes"
    table = Table(title=title, caption=_caption(figures))
    for name in ("rule", "false per 1,000", *(f"-{drop:.0%}" for drop in DROPS), "study"):
        table.add_column(name)
    for part, note in (("rules", ""), ("at_10_false", ", at 10 false")):
        for name, row in figures[part].items():
            cells = [_cell(one) for one in row["drops"].values()]
            table.add_row(name + note, words(row["false"]), *cells, STUDY.get(name))
    return table


def _caption(figures: Figures) -> str:
    judged = f"floors can judge {words(figures['can_be_judged'])}"
    return f"{judged}; left out, for a fall is good there: {', '.join(figures['left_out'])}"


def _cell(found: dict[str, float | None]) -> str:
    median = found["median_min"]
    return f"{found['found_percent']:.0f} %" + ("" if median is None else f", {median:.0f} min")
