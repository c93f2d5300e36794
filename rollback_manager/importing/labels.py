"""What a condition on a label picks: failed answers, good ones, a service, a version."""

import re
from enum import StrEnum
from typing import NamedTuple

from rollback_manager.importing.promql import Matcher

CLASS_TAIL = r"(?:\.\.|\.\*|\.\+|\.|[xX]{2}|(?:\\?\\d){2}|\\?\\d\{2\}|(?:\[0-9\]){2}|\[0-9\]\{2\})"
CLASSES = re.compile(rf"(?:(?P<one>[1-5])|\[(?P<some>[1-5,|-]+)\]){CLASS_TAIL}")
CODE = re.compile(r"[1-5]\d\d")
BAD_WORDS = re.compile(r"(?i).*(error|fail|fault|exception|denied|timeout|unavailable).*")
GOOD_WORDS = re.compile(r"(?i)(ok|success|successful|succeeded)")
ALTERNATIVE = re.compile(r"[A-Za-z0-9_.-]+")
HOLE = re.compile(r"\{\{(?P<argo>[^{}]*)\}\}|\$\{(?P<spinnaker>[^{}]*)\}")
VERSION_WORDS = re.compile(r"(?i)(version|hash|canary|scope|revision|release|tag|commit|baseline)")
SERVICE_LABELS = (
    "service", "app", "application", "service_name", "app_kubernetes_io_name",
    "destination_service", "destination_service_name", "destination_workload",
    "deployment", "workload", "ingress", "job",
)  # fmt: skip
"""Labels that usually say which service it is, the most telling first."""
ALL_CLASSES = "12345"


class Picks(StrEnum):
    """Which answers a condition leaves."""

    FAILED = "failed"
    GOOD = "good"
    OTHER = "other"


class Picked(NamedTuple):
    """What a condition leaves, and what failed answers look like in the catalogue's words.

    failed: alternatives of the label's whole value; None where they cannot be written so.
    """

    picks: Picks
    failed: str | None = None


def picked(matcher: Matcher) -> Picked:
    """Which answers the condition leaves, as far as its value tells."""
    parts = _alternatives(matcher)
    if parts is None:
        return Picked(Picks.OTHER)
    kinds = {_kind(part) for part in parts}
    if len(kinds) != 1 or (kind := kinds.pop()) is Picks.OTHER:
        return Picked(Picks.OTHER)
    negated = matcher.sign.startswith("!")
    leaves = kind if not negated else Picks.GOOD if kind is Picks.FAILED else Picks.FAILED
    words = _words(parts) if kind is Picks.FAILED else _complement(parts)
    return Picked(leaves, words)


def _alternatives(matcher: Matcher) -> list[str] | None:
    """`5..|429` → its parts, brackets and anchors left out; None where it has none."""
    text = matcher.value.removeprefix("^").removesuffix("$")
    if matcher.sign in ("=", "!="):
        return [matcher.value] if matcher.value else None
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].removeprefix("?:")
    parts, depth = [""], 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts if all(parts) else None


def _kind(part: str) -> Picks:
    """HTTP's classes of status: 4 and 5 are errors (RFC 9110, 15)."""
    classes = _classes(part)
    if classes:
        if set(classes) <= set("45"):
            return Picks.FAILED
        return Picks.GOOD if set(classes) <= set("123") else Picks.OTHER
    if BAD_WORDS.fullmatch(part):
        return Picks.FAILED
    return Picks.GOOD if GOOD_WORDS.fullmatch(part) else Picks.OTHER


def _classes(part: str) -> str:
    if CODE.fullmatch(part):
        return part[0]
    match = CLASSES.fullmatch(part)
    if match is None:
        return ""
    if match["one"]:
        return match["one"]
    some = match["some"].replace(",", "").replace("|", "")
    return re.sub(r"(\d)-(\d)", lambda span: _span(span[1], span[2]), some).replace("-", "")


def _span(first: str, last: str) -> str:
    return "".join(str(number) for number in range(int(first), int(last) + 1))


def _words(parts: list[str]) -> str | None:
    words: list[str] = []
    for part in parts:
        if CODE.fullmatch(part) or part[1:].lower() == "xx" or not _classes(part):
            words.append(part)
        else:
            words += [f"{one}.." for one in _classes(part)]
    return "|".join(words) if all(map(ALTERNATIVE.fullmatch, words)) else None


def _complement(parts: list[str]) -> str | None:
    """All classes of status but these; what is not whole classes has none."""
    if not all(CLASSES.fullmatch(part) and part[1:].lower() != "xx" for part in parts):
        return None
    good = {one for part in parts for one in _classes(part)}
    return "|".join(f"{one}.." for one in ALL_CLASSES if one not in good)


def holes(text: str) -> list[str]:
    """The names in the placeholders of a text."""
    return [(match["argo"] or match["spinnaker"] or "").strip() for match in HOLE.finditer(text)]


def says_version(matcher: Matcher) -> bool:
    """Whether the label is filled in with what tells versions apart."""
    filled = holes(matcher.value)
    return bool(filled) and any(VERSION_WORDS.search(name) for name in (*filled, matcher.label))


def literal(matcher: Matcher) -> str | None:
    """The one value that the label must have; None where it may have others."""
    plain = not re.search(r"[\\.*+?^$|()\[\]{}]", matcher.value)
    exact = matcher.sign == "=" or (matcher.sign == "=~" and plain)
    return matcher.value if exact and matcher.value and not holes(matcher.value) else None
