"""Counts out of many with their intervals, as text and as JSON."""

from typing import Any

from benchmarks.detection.shares import Share

Figures = dict[str, Any]
"""What becomes JSON: numbers, texts, lists and dicts of them."""


def per_1000(hits: int, of: int) -> Figures | None:
    """For JSON; None where nothing was counted."""
    if not of:
        return None
    share = Share(hits, of)
    return {
        "per_1000": round(share.per_1000, 1),
        "interval": [round(one, 1) for one in share.interval],
        "hits": hits,
        "of": of,
    }


def words(figure: object) -> str:
    """For the table."""
    if not isinstance(figure, dict):
        return "nothing to count"
    low, high = figure["interval"]
    return f"{figure['per_1000']:g} ({low:g} – {high:g}) of {figure['of']}"
