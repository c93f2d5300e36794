"""Conditions of an analysis of Argo Rollouts, brought to those of one number that are read here."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from rollback_manager.importing.promql import Unread
from rollback_manager.statistics.argo.conditions import (
    COMPARISON,
    ConditionError,
    read_condition,
)
from rollback_manager.watch.argo_judge import ArgoMetric
from rollback_manager.watch.signals import Signal

ABOUT_EMPTY = re.compile(
    r"len\(result\)\s*(==|!=|>|>=)\s*[01]|!?is(Nan|Nil|Inf)\(result(\[0\])?\)|result\s*[!=]=\s*nil",
    re.IGNORECASE,
)
OF_ALL = re.compile(
    r"(?P<which>all|any|none)\(\s*result\s*,\s*(?:\{\s*)?#(?P<rest>[^{}#]*)(?:\}\s*)?\)"
)
WITH_DEFAULT = re.compile(r"default\(\s*result(?:\[0\])?\s*,[^()]*\)")


class Brought(NamedTuple):
    """A condition in our words, and how it differs."""

    text: str
    notes: tuple[str, ...]


def brought(text: str) -> Brought:
    """The condition of one number. Raises Unread."""
    notes: dict[str, None] = {}
    kept = [
        part
        for part in (_plain(part, notes) for part in re.split(r"(\|\||&&)", _bare(text)))
        if part
    ]
    made = " ".join(_joined(kept))
    try:
        read_condition(made)
    except (ConditionError, RecursionError):
        raise Unread(f"the condition {text.strip()!r} is not one of a single number") from None
    return Brought(made, tuple(notes))


def _plain(part: str, notes: dict[str, None]) -> str:
    part = _bare(part)
    if ABOUT_EMPTY.fullmatch(part):
        notes["what an empty answer means is not carried over: no data never passes or fails"] = (
            None
        )
        return ""
    if match := OF_ALL.fullmatch(part):
        if match["which"] != "all":
            raise Unread(f"the condition {part!r} is not one of a single number")
        notes["all points of an answer are judged there; here their mean over the window"] = None
        part = f"result {match['rest'].strip()}"
    if WITH_DEFAULT.search(part):
        notes["its default for an empty answer is not carried over: no data is no number"] = None
        part = WITH_DEFAULT.sub("result", part)
    return part.replace("result[0]", "result")


def _joined(parts: list[str]) -> Iterator[str]:
    """The parts and the signs between them, without signs that lost a side."""
    signs = ("||", "&&")
    for place, part in enumerate(parts):
        after = parts[place + 1] if place + 1 < len(parts) else ""
        before = any(one not in signs for one in parts[:place])
        if part not in signs or (before and after and after not in signs):
            yield part


def _bare(text: str) -> str:
    """Without the brackets that stand around all of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_last(text):
        text = text[1:-1].strip()
    return text


def _closes_last(text: str) -> bool:
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return place == len(text) - 1
    return False


def error_limit(metric: ArgoMetric) -> float | None:
    """The share of failed requests from which on it fails, where its conditions say one."""
    if not metric.signal.is_ratio:
        return None
    found = next(
        (COMPARISON.fullmatch(one) for one in (metric.success, metric.failure) if one), None
    )
    if found is None:
        return None
    limit = float(found["limit"]) / metric.times
    share = limit if metric.signal is Signal.ERROR_RATIO else 1 - limit
    return round(share, 6) if 0 < share < 1 else None
