"""The picture of one service's rollback: three panels on one time axis.

Failed requests, who answered them, and ready instances against the floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from rollback_manager.rendering import drawing, picture
from rollback_manager.rendering.drawing import BAD, GOOD, INK, OTHER, Told, drawn
from rollback_manager.rendering.time_axis import TimeAxis
from rollback_manager.report import Report, ServicePart

if TYPE_CHECKING:  # matplotlib takes a second to import and is not installed everywhere
    from matplotlib.axes import Axes

HIGH = 6.4
"""Inches of the picture."""
Band = list[tuple[float, float, float]]
"""x, lower and upper edge: how much of all a version answered without a gap."""


def timeline(r: Report, service: str = "") -> str:
    """The picture as SVG; of the first service unless one is named. "" where there is no data.

    ImportError when matplotlib is not installed.
    """
    part = next((p for p in r.services if service in ("", p.plan.service)), None)
    if part is None or not part.points:
        return ""
    told = Told(f"rollback of {part.plan.service}", picture.in_words(r, part.plan.service))
    return drawing.svg(3, HIGH, partial(_draw, r, part), told)


def _draw(r: Report, part: ServicePart, panels: list[Axes]) -> None:
    errors, shares, ready = panels
    moments = _moments(r, part)
    times = [*moments.values(), *(point.at for point in part.points)]
    axis = TimeAxis(r.decided_at or r.requested_at, times)
    drawing.mark_moments(panels, moments, axis)
    lines = list(_errors(part))
    drawing.ratios(errors, "failed requests, % of each version's", lines, axis)
    drawing.name_summits(errors, lines, axis)
    _shares(shares, part, axis)
    _ready(ready, part, axis)
    drawing.name_moments(errors, moments, axis)
    drawing.name_cuts(shares, axis, "nobody looked")
    drawing.name_axis(ready, axis, "decision" if r.decided_at else "request")


def _errors(part: ServicePart) -> Iterator[drawing.Line]:
    for version in picture.versions(part):
        runs = picture.errors_of(part, version)
        yield drawing.Line(version, runs, _dashes(part, version), _colour(part, version))


def _shares(panel: Axes, part: ServicePart, axis: TimeAxis) -> None:
    panel.set_title("who answered, % of requests")
    panel.set_ylim(0, 100)
    low = [[0.0] * len(run) for run in picture.shares_of(part, "")]
    for version in picture.versions(part):
        bands: list[Band] = []
        for number, run in enumerate(picture.shares_of(part, version)):
            x, y = drawn(axis, run, 100)
            high = [below + share for below, share in zip(low[number], y, strict=True)]
            bands.append(list(zip(x, low[number], high, strict=True)))
            hatch = "///" if version == part.plan.from_version else None
            panel.fill_between(x, low[number], high, facecolor=(_colour(part, version), 0.4),
                               edgecolor=INK, hatch=hatch, linewidth=0)  # fmt: skip
            low[number] = high
        _name_band(panel, version, bands)
    drawing.say_if_unknown(panel, known=bool(low))


def _ready(panel: Axes, part: ServicePart, axis: TimeAxis) -> None:
    panel.set_title("ready instances; thick: of a version that answered users")
    ends = {f"floor {part.plan.floor}": float(part.plan.floor)}
    highest = max((n for point in part.points for n in point.ready.values()), default=0)
    for version in picture.versions(part):
        runs = picture.ready_of(part, version)
        for wide, some in ((1.2, runs), (4.0, picture.ready_for_users(part, version))):
            for run in some:
                panel.plot(*drawn(axis, run), _dashes(part, version), drawstyle="steps-post",
                           color=_colour(part, version), linewidth=wide)  # fmt: skip
        if runs:
            ends[version] = runs[-1][-1].y
    panel.axhline(part.plan.floor, color=INK, linestyle="--", linewidth=1)
    panel.axhspan(0, part.plan.floor, facecolor=INK, alpha=0.07, linewidth=0)
    panel.set_ylim(0, max(highest, part.plan.floor) + 1)
    panel.locator_params(axis="y", integer=True, nbins=5)
    drawing.name_ends(panel, ends)
    drawing.say_if_unknown(panel, known=len(ends) > 1)


def _name_band(panel: Axes, version: str, runs: list[Band]) -> None:
    """In the longest time in which the version answered at least half of the most that it did."""
    most = max((high - low for run in runs for _, low, high in run), default=0)
    if most == 0:
        return
    parts = [groupby(run, key=lambda edge: edge[2] - edge[1] >= most / 2) for run in runs]
    wide = [list(edges) for part in parts for is_wide, edges in part if is_wide]
    longest = max(wide, key=lambda edges: edges[-1][0] - edges[0][0])
    middle = (longest[0][0] + longest[-1][0]) / 2
    _, low, high = min(longest, key=lambda edge: abs(edge[0] - middle))
    drawing.name(panel, version, middle, (low + high) / 2)


def _moments(r: Report, part: ServicePart) -> dict[str, datetime]:
    times = {
        "release": r.release_at,
        "decision": r.decided_at,
        "shift": part.shifted_at,
        "traffic back": part.traffic_back_at,
        "verified": part.verified_at,
    }
    return {name: at for name, at in times.items() if at is not None}


def _dashes(part: ServicePart, version: str) -> str:
    return "-." if version == part.plan.from_version else "-"


def _colour(part: ServicePart, version: str) -> str:
    return {part.plan.to_version: GOOD, part.plan.from_version: BAD}.get(version, OTHER)
