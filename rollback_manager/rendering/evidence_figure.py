"""The picture of the evidence: what the test thought, above what both versions did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from rollback_manager.rendering import drawing, evidence_words
from rollback_manager.rendering.drawing import BAD, GOOD, INK, Line, Told, drawn
from rollback_manager.rendering.evidence_words import waited
from rollback_manager.rendering.picture import Measured
from rollback_manager.rendering.time_axis import TimeAxis
from rollback_manager.report import Report
from rollback_manager.watch.evidence_trace import EvidenceTrace

if TYPE_CHECKING:  # matplotlib takes a second to import and is not installed everywhere
    from matplotlib.axes import Axes

HIGH = 4.6
"""Inches of the picture."""


def evidence(r: Report) -> str:
    """The picture as SVG; "" where no test's alarm is behind the rollback.

    ImportError when matplotlib is not installed.
    """
    trace = r.request.trace
    if trace.until is None or not trace.points:
        return ""
    title = f"evidence against {trace.new} until the alarm"
    told = Told(title, " ".join(evidence_words.in_words(trace)))
    return drawing.svg(2, HIGH, partial(_draw, trace, _moments(r, trace, trace.until)), told)


def _moments(r: Report, trace: EvidenceTrace, alarm: datetime) -> dict[str, datetime]:
    shifted = (p.shifted_at for p in r.services if p.plan.from_version == trace.new)
    reached = trace.at(trace.reached) if trace.reached and waited(trace) else None
    times = {
        "threshold": reached,
        "alarm": alarm,
        "decision": r.decided_at,
        "shift": next(shifted, None),
    }
    return {name: at for name, at in times.items() if at is not None}


def _draw(trace: EvidenceTrace, moments: dict[str, datetime], panels: list[Axes]) -> None:
    upper, lower = panels
    axis = TimeAxis(moments["alarm"], [*_looks(trace), *moments.values()])
    drawing.mark_moments(panels, moments, axis)
    _evidence(upper, trace, axis)
    lines = list(_lines(trace))
    drawing.ratios(lower, f"{trace.measure}, % of each version's", lines, axis)
    drawing.name_ends(lower, {one.version: 100 * run[-1].y for one in lines for run in one.runs})
    drawing.name_moments(upper, moments, axis)
    drawing.name_cuts(lower, axis, "not drawn")
    drawing.name_axis(lower, axis, "alarm")


def _looks(trace: EvidenceTrace) -> Iterator[datetime]:
    """Every second: older points stand for several looks, and there is no gap between them."""
    first, last = trace.at(trace.points[0]), trace.at(trace.points[-1])
    yield last
    while first < last:
        yield first
        first += timedelta(seconds=1)


def _evidence(panel: Axes, trace: EvidenceTrace, axis: TimeAxis) -> None:
    panel.set_title(f"evidence against {drawing.short(trace.new)}, multiple of its threshold")
    run = [Measured(trace.at(point), point.evidence) for point in trace.points]
    alone = "." if len(run) == 1 else ""
    panel.plot(*drawn(axis, run), color=INK, linewidth=2, marker=alone, clip_on=False, zorder=3)
    highest = max(value.y for value in run)
    panel.set_ylim(min(0, *(value.y for value in run)), max(1.5, 1.15 * highest))
    panel.axhline(1, color=INK, linestyle="--", linewidth=1)
    panel.axhspan(1, panel.get_ylim()[1], facecolor=INK, alpha=0.07, linewidth=0)
    drawing.name_ends(panel, {"threshold": 1.0})


def _lines(trace: EvidenceTrace) -> Iterator[Line]:
    named = ((trace.old, "-", GOOD), (trace.new, "-.", BAD))
    for version, dashes, colour in named:
        run = evidence_words.run_of(trace, version) if version else []
        yield Line(version, [run] if run else [], dashes, colour)
