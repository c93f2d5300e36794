"""Every regular expression of the product, and the strings on which it would be slow."""

import ast
import importlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _compiler as compiler  # type: ignore[attr-defined] # its parts as trees
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = ("rollback_manager", "activities", "starters", "workers", "workflows")
PRINTABLE = "".join(map(chr, range(32, 127)))
WAYS = ("match", "fullmatch", "search", "sub", "findall", "finditer", "split")


class Used(NamedTuple):
    """A pattern as the code uses it: where it stands, and by which functions of `re`."""

    where: str
    pattern: "re.Pattern[str]"
    ways: frozenset[str]


def used() -> list[Used]:
    """All of them, whether they have a name or stand in a call."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    ways = _ways("\n".join(texts.values()))
    return [
        one
        for path, text in texts.items()
        if re.search(r"^import re$", text, re.MULTILINE)
        for one in _of(path, ast.parse(text), ways)
    ]


def _ways(text: str) -> dict[str, set[str]]:
    """By which methods patterns with that name are asked, in whatever file."""
    found: dict[str, set[str]] = {}
    for name, way in re.findall(rf"(\w+)\.({'|'.join(WAYS)})\(", text):
        found.setdefault(name, set()).add(way)
    return found


def _of(path: Path, tree: ast.Module, ways: dict[str, set[str]]) -> Iterator[Used]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        if node.func.attr in WAYS and isinstance(node.args[0], ast.Constant):
            flags = re.IGNORECASE if "re.IGNORECASE" in ast.unparse(node) else 0
            pattern = re.compile(str(node.args[0].value), flags)
            yield Used(f"{module}:{node.lineno}", pattern, frozenset({node.func.attr}))
    if any(_is_compiled(node) for node in tree.body):
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield Used(f"{module}:{name}", value, frozenset(ways.get(name, WAYS)))


def _is_compiled(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and "re.compile(" in ast.unparse(node)


def slow_texts(pattern: "re.Pattern[str]") -> Iterator[Callable[[int], str]]:
    """For each part that may repeat: texts that repeat it n times and then do not fit."""
    chars = sorted({*"a0 .\x00", *_literals(parser.parse(pattern.pattern))})
    for before, body in {*_repeats(parser.parse(pattern.pattern), ""), ("", "a")}:
        for pump, end in itertools.product({body, *chars} - {""}, ("", "\x00", "!\n")):
            yield lambda n, b=before, p=pump, e=end: b + p * n + e  # type: ignore[misc]


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, str]]:
    """(a text that leads there, one that the repeated part takes)."""
    for op, given in tree:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            yield from _repeats(given[2], before)
            if given[1] > 20:
                yield before, _example(given[2])
        elif op is sre.SUBPATTERN:
            yield from _repeats(given[3], before)
        elif op is sre.BRANCH:
            for one in given[1]:
                yield from _repeats(one, before)
        before += _example([(op, given)])


def _example(tree: Any) -> str:
    """A text that the tree takes, or nearly: what stands for a class is its first character."""
    text = ""
    for op, given in tree:
        if op is sre.LITERAL:
            text += chr(given)
        elif op in (sre.NOT_LITERAL, sre.ANY):
            text += "a"
        elif op is sre.IN:
            text += _member(given)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            text += _example(given[2]) * given[0]
        elif op is sre.SUBPATTERN:
            text += _example(given[3])
        elif op is sre.BRANCH:
            text += _example(given[1][0])
    return text


def _member(given: Any) -> str:
    one = compiler.compile(parser.SubPattern(parser.State(), [(sre.IN, given)]))
    return next((char for char in "a0 ._-/:" + PRINTABLE if one.match(char)), "a")


def _literals(tree: Any) -> set[str]:
    found: set[str] = set()
    for op, given in tree:
        if op is sre.LITERAL and len(found) < 12:
            found.add(chr(given))
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found |= _literals(given[2])
        elif op is sre.SUBPATTERN:
            found |= _literals(given[3])
        elif op is sre.BRANCH:
            for one in given[1]:
                found |= _literals(one)
    return found


MOST = 3.0
"""Times as long for twice the text: twice is linear, four times is not."""
NOTHING_S = 0.0003
"""Too little to be told from noise; four times that at 500 characters is not linear."""


def slow(one: Used) -> str:
    """How it grows faster than its text; empty if it does not."""
    for text in slow_texts(one.pattern):
        # First in small steps: each four more characters may take sixteen times as long.
        steps = [*itertools.pairwise(range(8, 28, 4)), *((n, 2 * n) for n in (64, 128, 256, 512))]
        for n, more in steps:
            if seconds(one, text(n)) < NOTHING_S:
                continue
            ratio = min(seconds(one, text(more)) / seconds(one, text(n)) for _ in range(3))
            if ratio > MOST:
                words = f"{ratio:.1f} times as long for {more} instead of {n}"
                return f"{one.where}: {words}: {text(3)!r}"
            break
    return ""


def seconds(one: Used, text: str) -> float:
    """Of processor time, for the slowest of its ways; the best of three."""
    return max(min(_once(one.pattern, way, text) for _ in range(3)) for way in one.ways)


def _once(pattern: "re.Pattern[str]", way: str, text: str) -> float:
    begun = time.process_time_ns()
    if way in ("match", "fullmatch", "search"):
        getattr(pattern, way)(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return (time.process_time_ns() - begun) / 1e9
