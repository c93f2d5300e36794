"""PetShop as it is read: readings of each node, around an injected issue or of a good run."""

import csv
import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rollback_manager.metrics.reading import Reading

STEP_S = 300
Node = dict[int, dict[str, float]]
"""Second → metric → value."""


@dataclass(frozen=True)
class Side:
    """What one node showed before and after the onset, oldest first."""

    node: str
    before: tuple[Reading, ...]
    after: tuple[Reading, ...]

    @property
    def errors_before(self) -> float:
        """Error ratio of all requests before; 0 where there were none."""
        requests = sum(one.requests for one in self.before)
        return sum(one.errors for one in self.before) / requests if requests else 0.0

    @property
    def p95_before(self) -> float | None:
        """Highest P95 before, in ms; None where nothing was timed."""
        timed = [one.latency_p95_ms for one in self.before if one.latency_p95_ms]
        return max(timed, default=None)


@dataclass(frozen=True)
class Case:
    """One issue, or a stretch without one. kind: `availability` or `latency`."""

    kind: str
    front: str
    sides: dict[str, Side]


def read_issues(folder: Path) -> list[Case]:
    """All injected issues; empty where the folder has none."""
    if not (folder / "index.json").exists():
        return []
    nodes: dict[str, dict[str, Node]] = defaultdict(_nodes)
    for row in _rows(folder / "issues.csv.gz"):
        _put(nodes[row["issue"]], row)
    issues = json.loads((folder / "index.json").read_text())["issues"]
    return [
        Case(
            issue["target_metric"].split("_")[0],
            issue["target_node"],
            _sides(nodes[issue["id"]], issue["first"], issue["onset"], issue["last"]),
        )
        for issue in issues
    ]


def read_normal(folder: Path, front: str, before: int = 2, after: int = 3) -> list[Case]:
    """The run without an issue, cut into stretches as long as those around an issue."""
    if not (folder / "normal.csv.gz").exists():
        return []
    nodes = _nodes()
    for row in _rows(folder / "normal.csv.gz"):
        _put(nodes, row)
    seconds = sorted({at for node in nodes.values() for at in node})
    cuts = range(0, len(seconds) - before - after + 1, before + after)
    return [
        Case(
            "none",
            front,
            _sides(nodes, seconds[cut], seconds[cut + before], seconds[cut + before + after - 1]),
        )
        for cut in cuts
    ]


def _nodes() -> dict[str, Node]:
    return defaultdict(lambda: defaultdict(dict))


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as rows:
        return list(csv.DictReader(rows))


def _put(nodes: dict[str, Node], row: dict[str, str]) -> None:
    nodes[row["node"]][int(row["timestamp"])][row["metric"]] = float(row["value"])


def _sides(nodes: dict[str, Node], first: int, onset: int, last: int) -> dict[str, Side]:
    """A step counts as after when its middle is at or past the onset, as in the set's README."""
    return {
        name: Side(
            name,
            tuple(_reading(name, at, node) for at in sorted(node) if first <= at < onset - 150),
            tuple(_reading(name, at, node) for at in sorted(node) if onset - 150 <= at <= last),
        )
        for name, node in nodes.items()
    }


def _reading(name: str, at: int, node: Node) -> Reading:
    metrics = node[at]
    requests = round(metrics.get("requests_sum", 0))
    p95_s = metrics.get("latency_p95")
    return Reading(
        version=name,
        requests=requests,
        errors=round(requests * (1 - metrics.get("availability_avg", 100) / 100)),
        latency_p95_ms=None if p95_s is None else 1000 * p95_s,
        window_s=STEP_S,
        taken_at=datetime.fromtimestamp(at + STEP_S, UTC),
    )
