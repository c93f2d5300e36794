"""The picture of one service's rollback, and the same in words.

Three panels on one time axis: error ratio, share of requests, ready instances against the floor.
"""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING, NamedTuple

from rollback_manager.rendering.layout import clean
from rollback_manager.report import Point, Report, ServicePart

if TYPE_CHECKING:  # matplotlib takes a second to import and is not installed everywhere
    from matplotlib.axes import Axes

INK = "#010203"
"""Stands for the colour of the page's text, which only the page knows: light or dark."""
GOOD, BAD, OTHER = "#0072b2", "#d55e00", "#868686"
"""Okabe and Ito's blue and vermilion, told apart by all; at least 3 : 1 on white and on #16181d."""
LOOKS_S = 5.0
"""Seconds without a measurement that are drawn as a gap, if that is not how often it was looked."""
LETTER = 5.6
"""Width of a letter of 9 points, in points, for the rows of the markers' labels."""


class Series(NamedTuple):
    """One version's values; a gap where nothing was measured, for no data is never 0."""

    x: list[float]
    y: list[float]


def timeline(r: Report, service: str = "") -> str:
    """The picture as SVG; of the first service unless one is named. "" where there is no data.

    ImportError when matplotlib is not installed.
    """
    part = _part(r, service)
    if part is None or not part.points:
        return ""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(
        {
            "svg.hashsalt": "rollback-manager",
            "svg.fonttype": "none",
            "text.parse_math": False,
            "font.size": 9,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    ):
        figure = Figure(figsize=(7.6, 6.2))
        FigureCanvasSVG(figure)
        panels = figure.subplots(3, 1, sharex=True)
        _draw(list(panels), r, part)
        figure.subplots_adjust(left=0.09, right=0.85, bottom=0.08, top=0.88, hspace=0.28)
        out = io.StringIO()
        figure.savefig(
            out,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _for_pages(out.getvalue(), timeline_in_words(r, part.plan.service))


def timeline_in_words(r: Report, service: str = "") -> str:
    """What the picture shows, one sentence per panel; `unknown` where nothing was measured."""
    parts = [_part(r, service)] if service else list(r.services)
    return "\n".join(_in_words(part) for part in parts if part) or "unknown: there is no plan."


def _part(r: Report, service: str) -> ServicePart | None:
    return next((p for p in r.services if service in ("", p.plan.service)), None)


def _in_words(part: ServicePart) -> str:
    old, new = part.plan.from_version, part.plan.to_version
    errors = [ratio for point in part.points if (ratio := _ratio(point, old)) is not None]
    later = [ratio for point in part.points if (ratio := _ratio(point, new)) is not None]
    shares = [share for point in part.points if (share := _share(point, new)) is not None]
    lowest = "unknown" if part.lowest_ready is None else str(part.lowest_ready)
    return (
        f"{part.plan.service}: highest error ratio of {old} {_percent(max(errors, default=None))}; "
        f"last error ratio of {new} {_percent(later[-1] if later else None)}. "
        f"Share of requests answered by {new}: lowest {_percent(min(shares, default=None))}, "
        f"last {_percent(shares[-1] if shares else None)}. "
        f"Lowest number of ready instances {lowest}, floor {part.plan.floor}. "
        "Gaps: nobody measured."
    )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}".replace("%", " %")


def _draw(panels: list[Axes], r: Report, part: ServicePart) -> None:
    zero = r.decided_at or r.requested_at
    _errors(panels[0], part, zero)
    _shares(panels[1], part, zero)
    _ready(panels[2], part, zero)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.01)
    what = "decision" if r.decided_at else "request"
    panels[-1].set_xlabel(f"seconds since the {what} at {zero:%H:%M:%S}Z")
    _markers(panels, list(_moments(r, part, zero)))


def _errors(panel: Axes, part: ServicePart, zero: datetime) -> None:
    panel.set_title("failed requests, % of each version's", loc="left", fontsize=9)
    lines = {v: _series(part, zero, partial(_ratio, version=v)) for v in _versions(part)}
    for version, line in lines.items():
        style = "-." if version == part.plan.from_version else "-"
        percent = [100 * value for value in line.y]
        colour = _colour(part, version)
        panel.plot(line.x, percent, style, color=colour, linewidth=1.5, clip_on=False, zorder=3)
    panel.set_ylim(bottom=0)
    _label_ends(panel, part, {v: Series(s.x, [100 * y for y in s.y]) for v, s in lines.items()})


def _shares(panel: Axes, part: ServicePart, zero: datetime) -> None:
    panel.set_title("requests answered, % by version (stacked)", loc="left", fontsize=9)
    versions = [v for v in _versions(part) if any(point.requests.get(v) for point in part.points)]
    rows = [_series(part, zero, partial(_share, version=v)) for v in versions]
    if not rows or not rows[0].x:
        _say_unknown(panel)
        return
    bottom = [0.0] * len(rows[0].x)
    for version, row in zip(versions, rows, strict=True):
        top = [low + 100 * value for low, value in zip(bottom, row.y, strict=True)]
        hatch = "///" if version == part.plan.from_version else None
        colour = _colour(part, version)
        panel.fill_between(
            row.x,
            bottom,
            top,
            facecolor=(colour, 0.4),
            edgecolor=INK,
            hatch=hatch,
            linewidth=0,
        )
        bottom = top
    panel.set_ylim(0, 100)
    for version, height in zip(versions, _heights(len(versions)), strict=True):
        hatched = ", hatched" if version == part.plan.from_version else ""
        text = f"{clean(version)}{hatched}"
        panel.text(1.01, height, text, transform=panel.transAxes, color=INK, va="center")


def _heights(count: int) -> list[float]:
    """The good version is the lowest layer, so its label is the lowest."""
    return [(place + 0.5) / count for place in range(count)]


def _ready(panel: Axes, part: ServicePart, zero: datetime) -> None:
    panel.set_title("ready instances, number by version", loc="left", fontsize=9)
    lines = {v: _series(part, zero, partial(_instances, version=v)) for v in _versions(part)}
    for version, line in lines.items():
        style = "-." if version == part.plan.from_version else "-"
        colour = _colour(part, version)
        panel.plot(line.x, line.y, style, color=colour, drawstyle="steps-post", linewidth=1.5)
    panel.axhline(part.plan.floor, color=INK, linestyle="--", linewidth=1)
    highest = max((n for point in part.points for n in point.ready.values()), default=0)
    panel.set_ylim(0, max(highest, part.plan.floor) + 1)
    panel.locator_params(axis="y", integer=True, nbins=5)
    floor = Series([0], [float(part.plan.floor)])
    _label_ends(panel, part, {**lines, f"floor {part.plan.floor}, dashed": floor})


def _label_ends(panel: Axes, part: ServicePart, lines: dict[str, Series]) -> None:
    """Names beside the lines' ends, moved apart where they would lie on each other."""
    drawn = {name: line.y[-1] for name, line in lines.items() if line.y}
    if not any(line.y for name, line in lines.items() if not name.startswith("floor ")):
        _say_unknown(panel)
    low, high = panel.get_ylim()
    at = -1.0
    for name, value in sorted(drawn.items(), key=lambda item: item[1]):
        at = max((value - low) / ((high - low) or 1), at + 0.16)
        style = ", dash-dot" if name == part.plan.from_version else ""
        text = f"{clean(name)}{style}"
        panel.text(1.01, at, text, transform=panel.transAxes, color=INK, va="center")


def _say_unknown(panel: Axes) -> None:
    panel.text(0.5, 0.5, "unknown: nobody measured it", transform=panel.transAxes, ha="center")


def _moments(r: Report, part: ServicePart, zero: datetime) -> Iterator[tuple[str, float]]:
    times = {
        "release": r.release_at,
        "decision": r.decided_at,
        "shift": part.shifted_at,
        "traffic back": part.traffic_back_at,
        "verified": part.verified_at,
    }
    known = [(name, (at - zero).total_seconds()) for name, at in times.items() if at is not None]
    yield from sorted(known, key=lambda moment: moment[1])


def _markers(panels: list[Axes], moments: list[tuple[str, float]]) -> None:
    """Lines through all panels; their names above the first, in rows that do not overlap."""
    ends: list[float] = []
    for _, x in moments:
        for panel in panels:
            panel.axvline(x, color=INK, linewidth=0.8, alpha=0.6)
    low, high = panels[0].get_xlim()
    points_wide = 7.6 * 72 * 0.76
    for name, x in moments:
        left = (x - low) / (high - low) * points_wide
        row = next((row for row, end in enumerate(ends) if end < left), len(ends))
        ends[row : row + 1] = [left + LETTER * (len(name) + 2)]
        panels[0].annotate(
            f"▾ {name}",
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 20 + 11 * row),
            textcoords="offset points",
        )


def _versions(part: ServicePart) -> list[str]:
    """The good version, the bad one, then any other."""
    two = [part.plan.to_version, part.plan.from_version]
    seen = {v for point in part.points for v in (*point.requests, *point.ready)}
    return [*two, *sorted(seen - set(two))]


def _colour(part: ServicePart, version: str) -> str:
    return {part.plan.to_version: GOOD, part.plan.from_version: BAD}.get(version, OTHER)


def _series(part: ServicePart, zero: datetime, value: Callable[[Point], float | None]) -> Series:
    seen = [((point.at - zero).total_seconds(), value(point)) for point in part.points]
    known = [(x, y) for x, y in seen if y is not None]
    steps = sorted(after - before for (before, _), (after, _) in pairwise(known))
    longest = max(LOOKS_S, 3 * steps[len(steps) // 2]) if steps else LOOKS_S
    whole = known[:1]
    for (before, _), (after, y) in pairwise(known):
        whole += [((before + after) / 2, nan)] if after - before > longest else []
        whole.append((after, y))
    return Series([x for x, _ in whole], [y for _, y in whole])


def _ratio(point: Point, version: str) -> float | None:
    requests = point.requests.get(version, 0)
    return point.errors.get(version, 0) / requests if requests else None


def _share(point: Point, version: str) -> float | None:
    total = sum(point.requests.values())
    return point.requests.get(version, 0) / total if total else None


def _instances(point: Point, version: str) -> float | None:
    return point.ready.get(version)


def _for_pages(svg: str, words: str) -> str:
    """The drawing alone, in the page's own colour, with its meaning for those who listen."""
    drawing = svg[svg.index("<svg") :].replace(INK, "currentColor")
    head, _, rest = drawing.partition(">")
    label = html.escape(clean(words), quote=True)
    return f'{head} role="img" aria-label="{label}">{rest}'
