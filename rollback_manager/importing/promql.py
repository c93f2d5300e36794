"""Just enough of PromQL to see what a query measures. What is not understood is said to be so.

Grammar by Prometheus' documentation ("Querying basics", "Operators"). Placeholders of templates,
`{{args.name}}` and `${name}`, may stand in a label's value, for a range, or for a whole matcher.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

LONGEST, DEEPEST = 4000, 40
"""Characters, and brackets within brackets; queries that people keep are far below both."""
UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<hole>\{\{[^{}]*\}\}|\$\{[^{}]*\})
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<range>(?:\d+(?:ms|[smhdwy]))+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    |(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^=<>(){}\[\],@])""",
    re.VERBOSE,
)
OPERATORS = ({"or"}, {"and", "unless"}, {"==", "!=", ">", "<", ">=", "<="}, {"+", "-"}, {"*", "/"})
AGGREGATES = frozenset({"sum", "avg", "min", "max", "count", "stddev", "topk", "quantile"})


class Unread(Exception):
    """The query, or what it measures, is not understood; says why, in words for people."""


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


class Matcher(NamedTuple):
    """One condition on a label; where a placeholder stands for a whole one, label and sign are
    empty."""

    label: str
    sign: str
    value: str


@dataclass(frozen=True)
class Selector:
    """Series of a metric. range_s: None without a range, or where a placeholder stands for it."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    ranged: bool = False
    range_s: float | None = None


@dataclass(frozen=True)
class Call:
    """A function, or an aggregation with the labels that it keeps."""

    name: str
    arguments: tuple["Node", ...]
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Binary:
    """Two sides and the sign between them."""

    sign: str
    left: "Node"
    right: "Node"


Node = Number | Selector | Call | Binary


def parsed(query: str) -> Node:
    """The query as a tree. Raises Unread."""
    if len(query) > LONGEST:
        raise Unread(f"the query has more than {LONGEST} characters")
    reader = _Reader(list(_tokens(query)))
    tree = reader.expression()
    if reader.kind:
        raise Unread(f"{reader.text!r} was not expected in the query")
    return tree


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(query):
        if not (match := TOKEN.match(query, place)):
            raise Unread(f"{query[place : place + 10]!r} in the query was not understood")
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group()
        place = match.end()


@dataclass
class _Reader:
    tokens: list[tuple[str, str]]
    place: int = 0
    depth: int = 0
    end: tuple[str, str] = field(default=("", ""))

    @property
    def kind(self) -> str:
        return self._now()[0]

    @property
    def text(self) -> str:
        return self._now()[1]

    def _now(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else self.end

    def _next(self) -> str:
        said = self.text
        self.place += 1
        return said

    def _is(self, text: str) -> bool:
        return self.text == text and self.kind in ("sign", "name")

    def _take(self, text: str) -> bool:
        found = self._is(text)
        self.place += found
        return found

    def _want(self, text: str) -> None:
        if not self._take(text):
            raise Unread(f"the query has {self.text or 'its end'!r} where {text!r} was expected")

    def expression(self, level: int = 0) -> Node:
        if level == len(OPERATORS):
            return self._unary()
        left = self.expression(level + 1)
        while self.kind in ("sign", "name") and self.text in OPERATORS[level]:
            sign = self._next()
            self._matching()
            left = Binary(sign, left, self.expression(level + 1))
        return left

    def _matching(self) -> None:
        """Which labels both sides share changes nothing of what is measured."""
        for word in ("bool", "on", "ignoring", "group_left", "group_right"):
            if self._take(word) and self._is("("):
                self._labels()

    def _unary(self) -> Node:
        if self._take("-"):
            return Binary("-", Number(0), self._unary())
        if self._take("+"):
            return self._unary()
        return self._primary()

    def _primary(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unread(f"the query has more than {DEEPEST} brackets within brackets")
        if self._take("("):
            inner = self.expression()
            self._want(")")
        elif self.kind == "number":
            inner = Number(float(self._next()))
        elif self.kind == "name":
            inner = self._named(self._next())
        elif self._is("{"):
            inner = self._selector("")
        else:
            raise Unread(f"{self.text or 'its end'!r} was not expected in the query")
        self.depth -= 1
        return inner

    def _named(self, name: str) -> Node:
        by = self._grouping() if name in AGGREGATES else ()
        if not self._is("("):
            return self._selector(name)
        self._want("(")
        arguments = [] if self._is(")") else [self.expression()]
        while self._take(","):
            arguments.append(self.expression())
        self._want(")")
        return Call(name, tuple(arguments), by or self._grouping())

    def _grouping(self) -> tuple[str, ...]:
        if self._take("by"):
            return self._labels()
        if self._take("without"):
            return tuple(f"-{label}" for label in self._labels())
        return ()

    def _labels(self) -> tuple[str, ...]:
        self._want("(")
        names = []
        while not self._is(")"):
            names.append(self._next())
            if not self._take(",") and not self._is(")"):
                raise Unread("a list of labels in the query was not understood")
        self._want(")")
        return tuple(names)

    def _selector(self, metric: str) -> Selector:
        matchers = tuple(self._matchers()) if self._take("{") else ()
        ranged, range_s = self._take("["), None
        if ranged:
            range_s = seconds(self._next())
            self._want("]")
        if self._is("offset") or self._is("@"):
            raise Unread("it looks at another time (offset, @)")
        return Selector(metric, matchers, ranged, range_s)

    def _matchers(self) -> Iterator[Matcher]:
        while not self._take("}"):
            if self.kind == "hole":
                yield Matcher("", "", self._next())
            else:
                yield self._matcher()
            if not self._take(",") and not self._is("}"):
                raise Unread(f"{self.text or 'its end'!r} stands between two conditions on labels")

    def _matcher(self) -> Matcher:
        if self.kind != "name":
            raise Unread(f"{self.text or 'its end'!r} is no label")
        label, sign = self._next(), self._next()
        if sign not in ("=", "!=", "=~", "!~") or self.kind != "text":
            raise Unread(f"the condition on the label {label} was not understood")
        return Matcher(label, sign, _unquoted(self._next()))


def seconds(text: str) -> float | None:
    """How long `5m` or `1h30m` is; None for a placeholder, or for what is no time."""
    parts = re.findall(r"(?<!\d)(\d+)(ms|[smhdwy])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * UNIT_S[unit] for number, unit in parts)


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    return inner if text[0] == "`" else re.sub(r"\\(.)", r"\1", inner)
