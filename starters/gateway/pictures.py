"""Pictures for pages: drawn one at a time in a thread, and kept while they are looked at."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from importlib.util import find_spec

from rollback_manager.rendering import evidence_figure, evidence_words, figures, picture
from rollback_manager.report import Report

MOST = 5
"""Pictures on one page: each takes a second of the gateway's machine."""
KEPT = 32
STYLE = (
    "<style>svg{color:#1b1d22;--page:#fff}text{font-family:system-ui,sans-serif!important}"
    "@media(prefers-color-scheme:dark){svg{color:#e8e9ed;--page:#16181d}}</style>"
)
"""The page's two colours, for a drawing that stands in it as a picture and cannot see them."""
EVIDENCE = " evidence"
"""In place of a service's name, and none: names have no space."""
Named = tuple[str, int, str]


class Pictures:
    """Drawn pictures, by rollback, number of its points, and service."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[Named, str] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def svg(self, r: Report, service: str) -> str:
        """The picture as a document of its own; "" where there is nothing to draw or to draw with.

        Drawing is the costliest thing that a page can ask for, so two never run side by side.
        """
        points = next((len(p.points) for p in r.services if p.plan.service == service), 0)
        return await self._kept((r.rollback, points, service), lambda: figures.timeline(r, service))

    async def evidence(self, r: Report) -> str:
        """The picture of what the test saw whose alarm is behind it; "" as above."""
        named = (r.rollback, _moments(r), EVIDENCE)
        return await self._kept(named, lambda: evidence_figure.evidence(r))

    async def _kept(self, named: Named, draw: Callable[[], str]) -> str:
        async with self._one_at_a_time:
            if named not in self._drawn:
                self._drawn[named] = await asyncio.to_thread(_drawn, draw)
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
            return self._drawn[named]


def _moments(r: Report) -> int:
    """What the picture of the evidence names besides the alarm, as far as it has come."""
    return len([at for at in (r.decided_at, *(p.shifted_at for p in r.services)) if at])


def _drawn(draw: Callable[[], str]) -> str:
    try:
        svg = draw()
    except ImportError:  # the gateway's own installation draws nothing
        return ""
    head, end, rest = svg.partition("<title>")
    return f"{head}{STYLE}{end}{rest}" if svg else ""


def pictures(r: Report) -> list[tuple[str, str, str]]:
    """Service, address and words of each picture; another address where there is more to see.

    Without an address where nothing can be drawn here: the words say the same.
    """
    parts = [(part.plan.service, len(part.points)) for part in r.services if part.points][:MOST]
    can_draw = find_spec("matplotlib") is not None
    return [
        (
            name,
            f"/{r.rollback}/picture/{name}.svg?points={points}" if can_draw else "",
            picture.in_words(r, name),
        )
        for name, points in parts
    ]


def evidence(r: Report) -> list[tuple[str, str, str]]:
    """The same of the evidence, where a test's alarm is behind the rollback; else nothing."""
    trace = r.request.trace
    if trace.until is None or not trace.points or find_spec("matplotlib") is None:
        return []  # its words stand on the page anyway
    address = f"/{r.rollback}/evidence.svg?moments={_moments(r)}"
    return [("the evidence", address, " ".join(evidence_words.in_words(trace)))]
