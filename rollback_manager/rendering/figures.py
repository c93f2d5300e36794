"""The picture of one service's rollback: three panels on one time axis.

Failed requests, who answered them, and ready instances against the floor.
"""

from __future__ import annotations

import html
import io
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from rollback_manager.rendering import picture
from rollback_manager.rendering.layout import clean
from rollback_manager.rendering.picture import Run
from rollback_manager.rendering.time_axis import TimeAxis, spread
from rollback_manager.rendering.words import duration
from rollback_manager.report import Report, ServicePart

if TYPE_CHECKING:  # matplotlib takes a second to import and is not installed everywhere
    from matplotlib.axes import Axes

INK, PAGE = "#010203", "#030201"
"""Stand for the colours of text and page, which only the page knows: light or dark."""
GOOD, BAD, OTHER = "#0072b2", "#d55e00", "#868686"
"""Okabe and Ito's blue and vermilion, told apart by all; at least 3 : 1 on white and on #16181d."""
WIDE, HIGH, LEFT, RIGHT = 7.6, 6.4, 0.08, 0.85
"""Inches of the picture; where the panels begin and end, as parts of its width."""
PATCH = {"facecolor": PAGE, "edgecolor": "none", "alpha": 0.85, "pad": 1}
"""Behind words that lie on lines."""
LETTER = 5.6
"""Width of a letter of 9 points, in points."""
LONGEST = 14
"""Letters of a version that fit beside the panels."""
Band = list[tuple[float, float, float]]
"""x, lower and upper edge: how much of all a version answered without a gap."""


def timeline(r: Report, service: str = "") -> str:
    """The picture as SVG; of the first service unless one is named. "" where there is no data.

    ImportError when matplotlib is not installed.
    """
    part = next((p for p in r.services if service in ("", p.plan.service)), None)
    if part is None or not part.points:
        return ""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(WIDE, HIGH))
        FigureCanvasSVG(figure)
        panels = list(figure.subplots(3, 1, sharex=True))
        figure.subplots_adjust(left=LEFT, right=RIGHT, bottom=0.07, top=0.86, hspace=0.28)
        _draw(panels, r, part)
        out = io.StringIO()
        undated = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(out, format="svg", transparent=True, metadata=undated)
    return _for_pages(out.getvalue(), picture.in_words(r, part.plan.service))


def _style() -> AbstractContextManager[None]:
    """The same bytes every time; text stays text, none of it a formula."""
    from matplotlib import rc_context

    return rc_context(
        {
            "svg.hashsalt": "rollback-manager",
            "svg.fonttype": "none",
            "text.parse_math": False,
            "font.size": 9,
            "axes.titlesize": 9,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.xmargin": 0.01,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def _draw(panels: list[Axes], r: Report, part: ServicePart) -> None:
    errors, shares, ready = panels
    moments = _moments(r, part)
    times = [*moments.values(), *(point.at for point in part.points)]
    axis = TimeAxis(r.decided_at or r.requested_at, times)
    for panel in panels:
        for at in moments.values():
            panel.axvline(axis.x(at), color=INK, linewidth=0.8, alpha=0.6)
    _errors(errors, part, axis)
    _shares(shares, part, axis)
    _ready(ready, part, axis)
    _name_moments(errors, moments, axis)
    for cut in axis.cuts:
        text = f"nobody looked\nfor {duration(cut.end - cut.begin)}"
        shares.text(axis.middle(cut), 50, text, rotation=90, ha="center", va="center")
    marks = axis.marks()
    ready.set_xticks([x for x, _ in marks], [text for _, text in marks])
    what = "decision" if r.decided_at else "request"
    ready.set_xlabel(f"seconds since the {what} at {axis.zero:%H:%M:%S}Z")


def _errors(panel: Axes, part: ServicePart, axis: TimeAxis) -> None:
    panel.set_title("failed requests, % of each version's", bbox=PATCH, zorder=6)
    names = []
    for version in picture.versions(part):
        runs = picture.errors_of(part, version)
        for run in runs:
            x, y = _line(axis, run, 100)
            alone = "." if len(run) == 1 else ""
            panel.plot(x, y, _dashes(part, version), marker=alone, color=_colour(part, version),
                       linewidth=2, clip_on=False, zorder=3)  # fmt: skip
        if runs:
            names.append(
                (version, *_summit(axis, max(runs, key=lambda run: (_height(run), len(run)))))
            )
    highest = max((top for _, _, top in names), default=0)
    panel.set_ylim(0, max(1, 1.3 * highest))
    for version, at, top in names:
        _name(panel, version, at, top, above=True)
    _say_if_unknown(panel, known=bool(names))


def _shares(panel: Axes, part: ServicePart, axis: TimeAxis) -> None:
    panel.set_title("who answered, % of requests")
    panel.set_ylim(0, 100)
    low = [[0.0] * len(run) for run in picture.shares_of(part, "")]
    for version in picture.versions(part):
        bands: list[Band] = []
        for number, run in enumerate(picture.shares_of(part, version)):
            x, y = _line(axis, run, 100)
            high = [below + share for below, share in zip(low[number], y, strict=True)]
            bands.append(list(zip(x, low[number], high, strict=True)))
            hatch = "///" if version == part.plan.from_version else None
            panel.fill_between(x, low[number], high, facecolor=(_colour(part, version), 0.4),
                               edgecolor=INK, hatch=hatch, linewidth=0)  # fmt: skip
            low[number] = high
        _name_band(panel, version, bands)
    _say_if_unknown(panel, known=bool(low))


def _ready(panel: Axes, part: ServicePart, axis: TimeAxis) -> None:
    panel.set_title("ready instances; thick: of a version that answered users")
    ends = {f"floor {part.plan.floor}": float(part.plan.floor)}
    highest = max((n for point in part.points for n in point.ready.values()), default=0)
    for version in picture.versions(part):
        runs = picture.ready_of(part, version)
        for wide, some in ((1.2, runs), (4.0, picture.ready_for_users(part, version))):
            for run in some:
                panel.plot(*_line(axis, run), _dashes(part, version), drawstyle="steps-post",
                           color=_colour(part, version), linewidth=wide)  # fmt: skip
        if runs:
            ends[version] = runs[-1][-1].y
    panel.axhline(part.plan.floor, color=INK, linestyle="--", linewidth=1)
    panel.axhspan(0, part.plan.floor, facecolor=INK, alpha=0.07, linewidth=0)
    panel.set_ylim(0, max(highest, part.plan.floor) + 1)
    panel.locator_params(axis="y", integer=True, nbins=5)
    _name_ends(panel, ends)
    _say_if_unknown(panel, known=len(ends) > 1)


def _height(run: Run) -> float:
    return max(value.y for value in run)


def _summit(axis: TimeAxis, run: Run) -> tuple[float, float]:
    """The highest value; in the middle of those that are as high."""
    best = [value for value in run if value.y == _height(run)]
    return axis.x(best[len(best) // 2].at), 100 * _height(run)


def _name(panel: Axes, version: str, x: float, y: float, above: bool = False) -> None:
    """A version's name where it is drawn, on a patch of the page's colour."""
    offset, align = ((0, 5), "bottom") if above else ((0, 0), "center")
    panel.annotate(_short(version), (x, y), xytext=offset, textcoords="offset points",
                   ha="center", va=align, bbox=PATCH, zorder=5)  # fmt: skip


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
    _name(panel, version, middle, (low + high) / 2)


def _name_ends(panel: Axes, ends: dict[str, float]) -> None:
    """Names right of the lines' ends, moved apart where they would lie on each other."""
    top = panel.get_ylim()[1]
    at = -1.0
    for name, y in sorted(ends.items(), key=lambda end: end[1]):
        at = max(y / top, at + 0.14)
        panel.text(1.01, at, _short(name), transform=panel.transAxes, va="center")


def _say_if_unknown(panel: Axes, known: bool) -> None:
    if not known:
        text = "unknown: nobody measured it"
        panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center")


def _moments(r: Report, part: ServicePart) -> dict[str, datetime]:
    times = {
        "release": r.release_at,
        "decision": r.decided_at,
        "shift": part.shifted_at,
        "traffic back": part.traffic_back_at,
        "verified": part.verified_at,
    }
    return {name: at for name, at in times.items() if at is not None}


def _name_moments(panel: Axes, moments: dict[str, datetime], axis: TimeAxis) -> None:
    """Names in one row above the panels, each led to its line; in the order of their times."""
    low, high = panel.get_xlim()
    wide = WIDE * 72 * (RIGHT - LEFT)
    texts, wanted = [], []
    for name, at in sorted(moments.items(), key=lambda moment: moment[1]):
        seconds = axis.seconds(at)
        when = f"{'-' if seconds < 0 else ''}{duration(round(abs(seconds), 1))}"
        letters = max(len(name), len(when)) + 1
        texts.append((f"{name}\n{when}", axis.x(at)))
        wanted.append(((axis.x(at) - low) / (high - low) * wide, LETTER * letters))
    places = spread(wanted, left=-LEFT * WIDE * 72, right=wide + (1 - RIGHT) * WIDE * 72)
    for (text, x), (point, _), place in zip(texts, wanted, places, strict=True):
        panel.annotate(
            text, (x, 1), xycoords=("data", "axes fraction"),
            xytext=(place - point, 34), textcoords="offset points", ha="center", va="bottom",
            arrowprops={"arrowstyle": "-", "color": INK, "alpha": 0.6, "linewidth": 0.8},
        )  # fmt: skip


def _line(axis: TimeAxis, run: Run, scale: float = 1) -> tuple[list[float], list[float]]:
    return [axis.x(value.at) for value in run], [scale * value.y for value in run]


def _short(name: str) -> str:
    """Both ends of a name: versions of one service differ at the end."""
    text = clean(name)
    return text if len(text) <= LONGEST else f"{text[:5]}…{text[6 - LONGEST :]}"


def _dashes(part: ServicePart, version: str) -> str:
    return "-." if version == part.plan.from_version else "-"


def _colour(part: ServicePart, version: str) -> str:
    return {part.plan.to_version: GOOD, part.plan.from_version: BAD}.get(version, OTHER)


def _for_pages(svg: str, words: str) -> str:
    """The drawing alone, in the page's own colours, with its meaning for those who listen."""
    drawing = svg[svg.index("<svg") :]
    drawing = drawing.replace(INK, "currentColor").replace(PAGE, "var(--page, #fff)")
    head, _, rest = drawing.partition(">")
    label = html.escape(clean(words), quote=True)
    return f'{head} role="img" aria-label="{label}">{rest}'
