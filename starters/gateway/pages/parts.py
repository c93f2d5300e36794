"""The two files that every page has in common: its style and its script."""

from importlib.resources import files

from fastapi import APIRouter, Response

from starters.gateway.pages import rendered

router = APIRouter(route_class=rendered.PageRoute)


@router.get("/static/pages.css")
async def style() -> Response:
    """How pages look, in the dark and in the light."""
    return _file("pages.css", "text/css")


@router.get("/static/live.js")
async def script() -> Response:
    """What redraws the part of a page that changes."""
    return _file("live.js", "text/javascript")


def _file(name: str, kind: str) -> Response:
    text = (files("starters.gateway.pages") / "static" / name).read_text(encoding="utf-8")
    headers = dict(rendered.HEADERS) | {"Cache-Control": "no-cache"}
    return Response(text, headers=headers, media_type=kind)
