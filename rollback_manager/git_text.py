"""One value in a text of YAML or JSON: found, and exchanged without touching anything around it.

The text is composed into nodes with their places and never constructed: an alias costs nothing,
and comments, indentation and line ends stay as people wrote them.
"""

import json
import re
from dataclasses import dataclass
from io import StringIO
from itertools import accumulate

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_CHARACTERS = 100_000
"""Of a file: a second's work. What names a version is a page of text, not an export."""
MOST_NESTED = 100
"""Brackets that may stand open. The scanner's work grows with their square: 50,000 take it 5 s."""
STEP = re.compile(r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[name=(?P<named>[^\]]+)\]")
STRING = "tag:yaml.org,2002:str"


class NotThere(Exception):
    """The text names no version at this place; the message says why."""


@dataclass(frozen=True)
class Place:
    """A text value and where it stands, in characters."""

    value: str
    start: int
    end: int
    style: str
    """The quote around it, or nothing."""


def documents(text: str) -> list[Node]:
    """The text's documents as nodes. Raises NotThere if it is no YAML, or too much of it."""
    if len(text) > MOST_CHARACTERS:
        raise NotThere(f"it has more than {MOST_CHARACTERS // 1000},000 characters")
    opened = accumulate((c in "[{") - (c in "]}") for c in text)
    if max(opened, default=0) > MOST_NESTED:
        raise NotThere(f"more than {MOST_NESTED} brackets stand open in it")
    try:
        return [one for one in YAML(typ="rt", pure=True).compose_all(StringIO(text)) if one]
    except (YAMLError, ValueError, KeyError, RecursionError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise NotThere(f"it cannot be read as YAML{where}") from None


def find(roots: list[Node], key: str) -> Place:
    """The one text value at `key`. Raises NotThere for none, for several, and for no text."""
    found = list(roots)
    for step in STEP.finditer(key):
        found = [child for node in found for child in _below(node, step)]
        if any(getattr(node, "anchor", None) for node in found):
            raise NotThere("an anchor or alias stands on the way to it, so other places share it")
    if not found:
        raise NotThere("there is no such key")
    if len(found) > 1:
        raise NotThere(f"{len(found)} places answer to this key")
    return _place(found[0])


def exchanged(text: str, news: dict[Place, str]) -> str:
    """The text with new values at those places, quoted as before, or where they need it."""
    for place in sorted(news, key=lambda one: one.start, reverse=True):
        text = text[: place.start] + _written(news[place], place.style) + text[place.end :]
    return text


def _below(node: Node, step: re.Match[str]) -> list[Node]:
    if isinstance(node, MappingNode) and step["name"]:
        return [value for key, value in node.value if key.value == step["name"]]
    if isinstance(node, SequenceNode) and step["index"]:
        return list(node.value[int(step["index"]) :][:1])
    if isinstance(node, SequenceNode) and step["named"]:
        return [item for item in node.value if step["named"] in _names(item)]
    return []


def _names(item: Node) -> list[object]:
    pairs = item.value if isinstance(item, MappingNode) else []
    return [value.value for key, value in pairs if key.value == "name"]


def _place(node: Node) -> Place:
    if not isinstance(node, ScalarNode) or node.style in ("|", ">"):
        raise NotThere("no text of one line stands there")
    if str(node.tag) != STRING:
        raise NotThere(f"{str(node.value)[:40]!r} stands there, which is no text: quote it")
    start, end = node.start_mark.index, node.end_mark.index
    return Place(str(node.value), start, end, node.style or "")


def _written(value: str, style: str) -> str:
    """Plain only if a letter comes first and a digit somewhere: no reader takes that for else."""
    plain = re.fullmatch(r"[A-Za-z][\w./@:+-]*[\w]", value, re.ASCII) and re.search(r"\d", value)
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    return value if plain and not style else json.dumps(value)
