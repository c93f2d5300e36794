"""Pictures for pages: drawn one at a time in a thread, and kept while they are looked at."""

import asyncio
from collections import OrderedDict
from importlib.util import find_spec

from rollback_manager.rendering import figures, picture
from rollback_manager.report import Report

MOST = 5
"""Pictures on one page: each takes a second of the gateway's machine."""
KEPT = 32
STYLE = (
    "<style>svg{color:#1b1d22;--page:#fff}text{font-family:system-ui,sans-serif!important}"
    "@media(prefers-color-scheme:dark){svg{color:#e8e9ed;--page:#16181d}}</style>"
)
"""The page's two colours, for a drawing that stands in it as a picture and cannot see them."""
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
        named = (r.rollback, points, service)
        async with self._one_at_a_time:
            if named not in self._drawn:
                self._drawn[named] = await asyncio.to_thread(_drawn, r, service)
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
            return self._drawn[named]


def _drawn(r: Report, service: str) -> str:
    try:
        svg = figures.timeline(r, service)
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
