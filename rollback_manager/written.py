"""What a person wrote in YAML or JSON: read strictly, each mistake with its line."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cache
from io import StringIO
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from rollback_manager.mistake_words import in_words
from rollback_manager.values import Value

T = TypeVar("T", bound=Value)
Where = tuple[int | str, ...]
TO_FILL_IN = "FILL_IN"
"""Stands in a draft of ours where a person must say something; it is never a value."""


class Mistaken(Exception):
    """It cannot be read; `lines` name each mistake as `file:line: what`. Callers say what next."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read(kind: type[T], tree: CommentedMap, name: str) -> T:
    """The value that was written; a field that `kind` lacks is a mistake like any other."""
    drafted = list(_to_fill_in(tree))
    wrong = [f"{name}:{at(tree, path)}: fill this in first" for path in drafted]
    try:
        value = kind.model_validate(_plain(tree), extra="forbid")
    except ValidationError as error:
        raise Mistaken([*wrong, *mistakes(error, kind, tree, name, besides=drafted)]) from None
    if wrong:
        raise Mistaken(wrong)
    return value


def at(tree: CommentedMap, path: Where) -> str:
    """`line: path.of.the.field`"""
    return f"{_line(tree, path)}: {_path(path)}"


def mistakes(
    error: ValidationError,
    kind: type[Value],
    tree: CommentedMap,
    name: str,
    place: tuple[str, ...] = (),
    besides: Collection[Where] = (),
) -> list[str]:
    """Each mistake as `name:line: field: what`. kind: what should have been written.

    place: where in the file the value stands. besides: what is left out, for it was named already.
    """
    found = error.errors()
    places, schema = [one["loc"] for one in found], _schema(kind)
    by_path: dict[Where, list[ErrorDetails]] = defaultdict(list)
    for one in found:
        if one["type"] != "too_short" or not _is_deeper(one["loc"], places):
            by_path[_written(tree, place, one)].append(one)
    return [
        f"{name}:{at(tree, path)}: {in_words(said, schema)}"
        for path, said in by_path.items()
        if _reached(tree, path) not in besides
    ]


@cache
def _schema(kind: type[Value]) -> dict[str, Any]:
    return kind.model_json_schema()


def _written(tree: CommentedMap, place: tuple[str, ...], mistake: ErrorDetails) -> Where:
    """Where a person looks for it: without the kinds that pydantic has in its paths."""
    path = _reached(tree, (*place, *mistake["loc"]))
    match mistake["type"]:
        case "missing":
            return (*path, mistake["loc"][-1])
        case "union_tag_invalid" | "union_tag_not_found":
            return (*path, str(mistake["ctx"]["discriminator"]).strip("'"))
    return path


def _is_deeper(path: Where, others: Collection[Where]) -> bool:
    """Whether a mistake lies inside: pydantic counts no item that has one, and misses it then."""
    return any(len(one) > len(path) and one[: len(path)] == path for one in others)


def parsed(text: str, name: str, wanted: str) -> CommentedMap:
    """The mapping in `text`; Mistaken if it is none. wanted: what should stand in it, in words."""
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    try:
        tree = yaml.load(StringIO(text))
    except MarkedYAMLError as mistake:
        line, said = no_yaml(mistake, text)
        raise Mistaken([f"{name}:{line}: {said}"]) from None
    except (YAMLError, ValueError, KeyError, RecursionError) as mistake:  # no mark: no line known
        said = " ".join(str(mistake).split())
        raise Mistaken([f"{name}:1: this cannot be read as YAML: {said[:300]}"]) from None
    if not isinstance(tree, CommentedMap):
        raise Mistaken([f"{name}:1: expected a mapping with {wanted}"])
    aliased = [
        f"{name}:{line}: aliases, anchors and merge keys are not allowed" for line in _anchors(tree)
    ]
    if aliased:
        raise Mistaken(aliased)
    return tree


def no_yaml(mistake: MarkedYAMLError, text: str) -> tuple[int, str]:
    """Line, and why `text` is no YAML; never a value, for it may be a password."""
    mark = mistake.problem_mark or mistake.context_mark
    line = mark.line + 1 if mark else 1
    if not isinstance(mistake, DuplicateKeyError):
        return line, mistake.problem or mistake.context or "no YAML"
    documents = YAML(typ="rt", pure=True).compose_all(StringIO(text))
    twice = next((found for one in documents for found in _twice(one)), None)
    if twice is None:
        return line, "a key stands twice"
    return twice[1].line + 1, f'"{twice[0]}" stands twice; first at line {twice[2].line + 1}'


def _twice(root: Node | None) -> Iterator[tuple[str, Any, Any]]:
    """Keys that stand twice in one mapping: the key, and the marks of the later and the first."""
    nodes, seen = [root], set[int]()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:  # an alias may lead back to where it stands
            continue
        seen.add(id(node))
        first: dict[tuple[str, str], Any] = {}
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if (said := (str(key.tag), str(key.value))) in first:
                yield said[1], key.start_mark, first[said]
            first.setdefault(said, key.start_mark)
        nodes += _below(node)


def _below(node: Node | None) -> list[Node]:
    if isinstance(node, MappingNode):
        return [value for _, value in node.value]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _anchors(node: Any, line: int = 1) -> Iterator[int]:
    if isinstance(node, CommentedMap | CommentedSeq):
        if node.anchor.value is not None or getattr(node, "merge", None):
            yield node.lc.line + 1
        children = node.values() if isinstance(node, CommentedMap) else node
        for child in children:
            yield from _anchors(child, node.lc.line + 1)
    elif getattr(getattr(node, "anchor", None), "value", None) is not None:
        yield line


def _plain(node: Any) -> Any:
    """Plain dicts, lists and scalars."""
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    if isinstance(node, bool | int | float):
        return node
    return None if node is None else str(node)


def _to_fill_in(node: Any, path: Where = ()) -> Iterator[Where]:
    if isinstance(node, CommentedMap | CommentedSeq):
        for key, child in node.items() if isinstance(node, CommentedMap) else enumerate(node):
            yield from _to_fill_in(child, (*path, key))
    elif node == TO_FILL_IN:
        yield path


def _reached(tree: CommentedMap, path: Where) -> Where:
    """The part of `path` that stands in the file; names of kinds in it are pydantic's own."""
    node: Any = tree
    reached: list[int | str] = []
    chosen: Any = None
    for part in path:
        if node is not chosen and isinstance(node, CommentedMap) and node.get("kind") == part:
            chosen = node  # pydantic names the kind before the field, which may be called alike
            continue
        known = isinstance(node, CommentedMap) and part in node
        if known or (isinstance(node, CommentedSeq) and part in range(len(node))):
            reached.append(part)
            node = node[part]
    return tuple(reached)


def _line(tree: CommentedMap, path: Where) -> int:
    """Line of the deepest part of `path` that stands in the file; 1-based."""
    *above, last = _reached(tree, path) or (None,)
    node: Any = tree
    for part in above:
        node = node[part]
    if last is None:
        return int(tree.lc.line) + 1
    place = node.lc.key(last) if isinstance(node, CommentedMap) else node.lc.item(last)
    return int(place[0]) + 1


def _path(path: Where) -> str:
    return ".".join(str(part) for part in path) or "all of it"
