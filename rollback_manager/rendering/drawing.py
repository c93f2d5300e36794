"""How pictures are drawn: in the page's colours, named beside the lines, the same bytes twice."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from rollback_manager.rendering.layout import clean
from rollback_manager.rendering.picture import Run
from rollback_manager.rendering.time_axis import TimeAxis, spread
from rollback_manager.rendering.words import duration

if TYPE_CHECKING:  # matplotlib takes a second to import and is not installed everywhere
    from matplotlib.axes import Axes

INK, PAGE = "#010203", "#030201"
"""Stand for the colours of text and page, which only the page knows: light or dark."""
GOOD, BAD, OTHER = "#0072b2", "#d55e00", "#868686"
"""Okabe and Ito's blue and vermilion, told apart by all; at least 3 : 1 on white and on #16181d."""
WIDE, LEFT, RIGHT = 7.6, 0.08, 0.85
"""Inches of a picture; where its panels begin and end, as parts of its width."""
MARGINS = 0.448, 0.896, 0.4
"""Inches below the panels, above them and between two: for their names."""
PATCH = {"facecolor": PAGE, "edgecolor": "none", "alpha": 0.85, "pad": 1}
"""Behind words that lie on lines."""
LETTER = 5.6
"""Width of a letter of 9 points, in points."""
LONGEST = 14
"""Letters of a version that fit beside the panels."""


class Line(NamedTuple):
    """What is drawn of one version, and how it is told from the others."""

    version: str
    runs: list[Run]
    dashes: str
    colour: str


class Told(NamedTuple):
    """A picture for those who listen: what it is, and what it shows."""

    title: str
    words: str


def svg(panels: int, high: float, draw: Callable[[list[Axes]], None], told: Told) -> str:
    """A drawing for pages, `high` inches.

    ImportError when matplotlib is not installed.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    below, above, between = (part / high for part in MARGINS)
    with _style():
        figure = Figure(figsize=(WIDE, high))
        FigureCanvasSVG(figure)
        axes = list(figure.subplots(panels, 1, sharex=True))
        one = (1 - below - above - (panels - 1) * between) / panels
        figure.subplots_adjust(
            left=LEFT, right=RIGHT, bottom=below, top=1 - above, hspace=between / one
        )
        draw(axes)
        out = io.StringIO()
        undated = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(out, format="svg", transparent=True, metadata=undated)
    return _for_pages(out.getvalue(), told)


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


def _for_pages(svg: str, told: Told) -> str:
    """The drawing alone, in the page's own colours, with its meaning for those who listen."""
    drawing = svg[svg.index("<svg") :]
    drawing = drawing.replace(INK, "currentColor").replace(PAGE, "var(--page, #fff)")
    head, _, rest = drawing.partition(">")
    title, words = (html.escape(clean(text), quote=True) for text in told)
    return f'{head} role="img"><title>{title}</title><desc>{words}</desc>{rest}'


def ratios(panel: Axes, title: str, lines: Iterable[Line], axis: TimeAxis) -> None:
    """Parts of each version's own requests in per cent."""
    panel.set_title(title, bbox=PATCH, zorder=6)
    runs = [(line, run) for line in lines for run in line.runs]
    for line, run in runs:
        x, y = drawn(axis, run, 100)
        alone = "." if len(run) == 1 else ""
        panel.plot(x, y, line.dashes, marker=alone, color=line.colour, linewidth=2,
                   clip_on=False, zorder=3)  # fmt: skip
    highest = max((_height(run) for _, run in runs), default=0)
    panel.set_ylim(0, max(1, 1.3 * 100 * highest))
    say_if_unknown(panel, known=bool(runs))


def name_summits(panel: Axes, lines: Iterable[Line], axis: TimeAxis) -> None:
    """Each version's name above where its line is highest."""
    for line in lines:
        if line.runs:
            highest = max(line.runs, key=lambda run: (_height(run), len(run)))
            name(panel, line.version, *_summit(axis, highest), above=True)


def drawn(axis: TimeAxis, run: Run, scale: float = 1) -> tuple[list[float], list[float]]:
    """Where a run lies in a panel."""
    return [axis.x(value.at) for value in run], [scale * value.y for value in run]


def _height(run: Run) -> float:
    return max(value.y for value in run)


def _summit(axis: TimeAxis, run: Run) -> tuple[float, float]:
    """The highest value; in the middle of those that are as high."""
    best = [value for value in run if value.y == _height(run)]
    return axis.x(best[len(best) // 2].at), 100 * _height(run)


def name(panel: Axes, version: str, x: float, y: float, above: bool = False) -> None:
    """A version's name where it is drawn, on a patch of the page's colour."""
    offset, align = ((0, 5), "bottom") if above else ((0, 0), "center")
    panel.annotate(short(version), (x, y), xytext=offset, textcoords="offset points",
                   ha="center", va=align, bbox=PATCH, zorder=5)  # fmt: skip


def name_ends(panel: Axes, ends: Mapping[str, float]) -> None:
    """Names right of the lines' ends, moved apart where they would lie on each other."""
    top = panel.get_ylim()[1]
    at = -1.0
    for text, y in sorted(ends.items(), key=lambda end: end[1]):
        at = max(y / top, at + 0.14)
        panel.text(1.01, at, short(text), transform=panel.transAxes, va="center")


def mark_moments(panels: list[Axes], moments: Mapping[str, datetime], axis: TimeAxis) -> None:
    """A line through all panels at each moment."""
    for panel in panels:
        for at in moments.values():
            panel.axvline(axis.x(at), color=INK, linewidth=0.8, alpha=0.6)


def name_moments(panel: Axes, moments: Mapping[str, datetime], axis: TimeAxis) -> None:
    """Names in one row above the panels, each led to its line; in the order of their times."""
    low, high = panel.get_xlim()
    wide = WIDE * 72 * (RIGHT - LEFT)
    texts, wanted = [], []
    for what, at in sorted(moments.items(), key=lambda moment: moment[1]):
        seconds = axis.seconds(at)
        when = f"{'-' if seconds < 0 else ''}{duration(round(abs(seconds), 1))}"
        letters = max(len(what), len(when)) + 1
        texts.append((f"{what}\n{when}", axis.x(at)))
        wanted.append(((axis.x(at) - low) / (high - low) * wide, LETTER * letters))
    places = spread(wanted, left=-LEFT * WIDE * 72, right=wide + (1 - RIGHT) * WIDE * 72)
    for (text, x), (point, _), place in zip(texts, wanted, places, strict=True):
        panel.annotate(
            text, (x, 1), xycoords=("data", "axes fraction"),
            xytext=(place - point, 34), textcoords="offset points", ha="center", va="bottom",
            arrowprops={"arrowstyle": "-", "color": INK, "alpha": 0.6, "linewidth": 0.8},
        )  # fmt: skip


def name_axis(panel: Axes, axis: TimeAxis, what: str) -> None:
    """Marks at whole seconds since `what`, under the lowest panel."""
    marks = axis.marks()
    panel.set_xticks([x for x, _ in marks], [text for _, text in marks])
    panel.set_xlabel(f"seconds since the {what} at {axis.zero:%H:%M:%S}Z")


def name_cuts(panel: Axes, axis: TimeAxis, words: str) -> None:
    """What was not drawn, and for how long that was."""
    low, high = panel.get_ylim()
    for cut in axis.cuts:
        text = f"{words}\nfor {duration(cut.end - cut.begin)}"
        panel.text(axis.middle(cut), (low + high) / 2, text, rotation=90, ha="center", va="center")


def say_if_unknown(panel: Axes, known: bool) -> None:
    """An empty panel is not a calm one."""
    if not known:
        text = "unknown: nobody measured it"
        panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center")


def short(text: str) -> str:
    """Both ends of a name: versions of one service differ at the end."""
    text = clean(text)
    return text if len(text) <= LONGEST else f"{text[:5]}…{text[6 - LONGEST :]}"
