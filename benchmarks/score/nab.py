"""NAB: cloud metrics in five-minute steps. How often rules fire where nobody saw trouble.

The labels say "unusual", not "bad": many mark a rise, which a floor is not made to see, so that
"found" is told rule by rule beside what the same rule does away from labels.
"""

from pathlib import Path

from rich.table import Table

from benchmarks.score.rules import OUR_RULES, SEED_RULES, Rule, can_be_judged
from benchmarks.score.series import Series, labelled_watches, quiet_watches, read_series
from benchmarks.score.shares import Figures, per_1000, words

WATCHES = 300
"""Per series."""
SEED = 20_261_127
STUDY = {
    "seed: rise above 200 %": "124",
    "seed: the same, 3 of 5": "27",
    "seed: fall of 50 %": "169",
    "seed: fall of 20 %": "365",
}
"""False per 1,000 of 20,000 watches in the study that the goals come from."""


def score_nab(data: Path, watches: int = WATCHES) -> Figures | None:
    """The figures; None where the folder has no series."""
    every = read_series(data / "nab")
    if not every:
        return None
    rules = {name: _rule(rule, every, watches) for name, rule in (SEED_RULES | OUR_RULES).items()}
    quiet = [w for number, one in enumerate(every) for w in quiet_watches(one, 20, SEED + number)]
    told = sum(can_be_judged(watch) for watch in quiet)
    return {
        "series": len(every),
        "labels": sum(len(one.labels) for one in every),
        "rules": rules,
        "floor_can_judge": per_1000(told, len(quiet)),
        "subset": "a part of the study's 19 series",
    }


def _rule(rule: Rule, every: list[Series], watches: int) -> Figures:
    quiet = [
        rule(watch) is not None
        for number, one in enumerate(every)
        for watch in quiet_watches(one, watches, SEED + number)
    ]
    labels = [
        [rule(watch) is not None for watch in labelled_watches(one, label)]
        for one in every
        for label in one.labels
    ]
    inside = [answer for label in labels for answer in label]
    return {
        "false": per_1000(sum(quiet), len(quiet)),
        "in_labels": per_1000(sum(inside), len(inside)),
        "labels_found": sum(any(label) for label in labels),
        "labels": len(labels),
    }


def nab_table(figures: Figures) -> Table:
    """What is shown."""
    title = f"NAB, {figures['series']} series: 30-minute watches in which the rule fires, per 1,000"
    table = Table(title=title, caption=f"floors can judge {words(figures['floor_can_judge'])}")
    for name in ("rule", "away from labels", "in labels", "labels found", "study (19 series)"):
        table.add_column(name)
    for name, row in figures["rules"].items():
        found = f"{row['labels_found']} of {row['labels']}"
        table.add_row(name, words(row["false"]), words(row["in_labels"]), found, STUDY.get(name))
    return table
