"""The order of commands of every workflow, read from its source and kept in fingerprints.json.

Replay compares commands with history one by one: an edit of their order breaks every rollback
that runs. What a pure function answers is not seen here; the recorded histories see that.

Keep the order of now, and print what changed: `python -m tests.workflows.fingerprints`
"""

import ast
import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_name("fingerprints.json")

Source = Mapping[str, str]
"""File → its text."""
Fingerprints = dict[str, dict[str, list[str]]]
"""File → function → its commands in their order, inside the branches that decide on them."""

COMMANDS = frozenset(
    {
        "execute_activity",
        "execute_activity_method",
        "execute_local_activity",
        "execute_local_activity_method",
        "start_activity",
        "start_activity_method",
        "start_local_activity",
        "start_local_activity_method",
        "execute_child_workflow",
        "start_child_workflow",
        "continue_as_new",
        "deprecate_patch",
        "patched",
        "signal",
        "sleep",
        "upsert_memo",
        "upsert_search_attributes",
        "wait_condition",
    }
)
"""What leaves an event in history or, with a wait, decides what comes before what."""
NAMED_BY_FIRST = frozenset({"patched", "deprecate_patch", "signal", "short"})
"""Their first argument is in history, as is an activity's or a child's."""
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.Match)
LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

WHAT_TO_DO = """\
The order of commands of a workflow has changed, and rollbacks that run would be replayed by it.
  - It was not meant: put the order back.
  - It was meant: keep the old order behind `if workflow.patched("…"):`, add a course to
    tests/record_histories.py and record it: python -m tests.record_histories
  - No history can tell the difference (a new workflow; a wait that was only renamed):
    tests/workflows/test_replay.py is green, and you say so in the commit.
Then: python -m tests.workflows.fingerprints"""


def sources() -> dict[str, str]:
    """The files of workflows as they are now."""
    files = sorted((ROOT / "workflows").glob("*.py"))
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def of(source: Source) -> Fingerprints:
    """The order of commands in these files."""
    functions = {name: list(_functions(ast.parse(text))) for name, text in source.items()}
    program = _Program([one for found in functions.values() for one in found])
    prints = {
        file: {
            one.called: list(_Reader(program, one.of).lines(one.node.body))
            for one in found
            if one in program.emitting
        }
        for file, found in functions.items()
    }
    return {file: found for file, found in prints.items() if found}


def difference(kept: Fingerprints, now: Fingerprints) -> str:
    """What changed, line by line; empty if nothing did."""
    before, after = _text(kept).splitlines(), _text(now).splitlines()
    return "\n".join(difflib.unified_diff(before, after, "kept", "now", lineterm="", n=2))


def read() -> Fingerprints:
    """What is kept."""
    kept: Fingerprints = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept


def refresh() -> str:
    """Keep what the sources say now; the difference to what was kept."""
    now = of(sources())
    changed = difference(read() if KEPT.exists() else {}, now)
    KEPT.write_text(_text(now) + "\n", encoding="utf-8")
    return changed


def _text(prints: Fingerprints) -> str:
    return json.dumps(prints, indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class _Function:
    """A function, and the class of which it is a method."""

    of: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def called(self) -> str:
        return f"{self.of}.{self.node.name}" if self.of else self.node.name


def _functions(tree: ast.AST, of: str = "") -> Iterator[_Function]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, FUNCTIONS):
            yield _Function(of, node)
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, node.name)


class _Program:
    """All functions together: which of them lead to a command, however far down."""

    def __init__(self, functions: Sequence[_Function]) -> None:
        self._defined = {(one.of, one.node.name) for one in functions}
        self._found: set[tuple[str, str]] = set()
        self._names = set(COMMANDS)
        self.emitting: set[_Function] = set()
        while more := {one for one in functions if self._newly(one)}:
            self.emitting |= more
            self._found |= {(one.of, one.node.name) for one in more}
            self._names |= {one.node.name for one in more}

    def _newly(self, one: _Function) -> bool:
        return one not in self.emitting and any(self.leads(s, one.of) for s in one.node.body)

    def leads(self, node: ast.AST, of: str) -> bool:
        """Whether something in there may lead to a command."""
        return any(isinstance(one, ast.Call) and self.emits(one, of) for one in ast.walk(node))

    def emits(self, call: ast.Call, of: str) -> bool:
        """Whether this call may; of an object whose class is not seen here, by the name alone."""
        match call.func:
            case ast.Attribute(ast.Name("self"), name) if (of, name) in self._defined:
                return (of, name) in self._found
            case ast.Attribute(attr=name):
                return name in self._names
            case ast.Name(name):
                return name in COMMANDS or ("", name) in self._found
            case _:
                return False


class _Reader:
    """Reads a function in the order in which Python carries it out."""

    def __init__(self, program: _Program, of: str) -> None:
        self._program = program
        self._of = of

    def lines(self, body: Sequence[ast.stmt], depth: int = 0) -> Iterator[str]:
        """Commands, and the branches and ways out that decide whether they are reached."""
        for statement in body:
            if isinstance(statement, BRANCHES):
                yield from self._branch(statement, depth)
            elif isinstance(statement, FUNCTIONS):
                yield from self._named(f"def {statement.name}", statement.body, depth)
            else:
                yield from self._calls(statement, depth)
                if isinstance(statement, LEAVES):
                    yield "  " * depth + type(statement).__name__.lower()

    def _branch(self, node: ast.stmt, depth: int) -> Iterator[str]:
        """The whole of it, or nothing where nothing in it decides on a command."""
        if not (self._program.leads(node, self._of) or _leaves(node)):
            return
        yield from self._calls(_head(node), depth)
        yield "  " * depth + _title(node)
        for title, body in _parts(node):
            yield from self._named(title, body, depth)

    def _named(self, title: str, body: Sequence[ast.stmt], depth: int) -> Iterator[str]:
        inner = list(self.lines(body, depth + 1))
        if title and inner:
            yield "  " * depth + title
        yield from inner

    def _calls(self, node: ast.AST | None, depth: int) -> Iterator[str]:
        """Arguments before the call that takes them; what a lambda does comes later, if at all."""
        match node:
            case None | ast.Lambda():
                return
            case ast.IfExp() if self._program.leads(node, self._of):
                yield from self._choice(node, depth)
                return
            case ast.BoolOp() if self._program.leads(node, self._of):
                yield "  " * depth + type(node.op).__name__.lower()
                depth += 1
        for child in ast.iter_child_nodes(node):
            yield from self._calls(child, depth)
        if isinstance(node, ast.Call) and self._program.emits(node, self._of):
            yield "  " * depth + _shown(node)

    def _choice(self, node: ast.IfExp, depth: int) -> Iterator[str]:
        yield from self._calls(node.test, depth)
        yield "  " * depth + f"if {ast.unparse(node.test)}"
        yield from self._calls(node.body, depth + 1)
        yield "  " * depth + "else"
        yield from self._calls(node.orelse, depth + 1)


def _leaves(node: ast.AST) -> bool:
    return any(isinstance(one, LEAVES) for one in ast.walk(node))


def _head(node: ast.stmt) -> ast.AST | None:
    """What is evaluated before the branch is taken."""
    match node:
        case ast.If(test=head) | ast.While(test=head) | ast.Match(subject=head):
            return head
        case ast.For(iter=head) | ast.AsyncFor(iter=head):
            return head
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return ast.Tuple([item.context_expr for item in items], ast.Load())
        case _:
            return None


def _title(node: ast.stmt) -> str:
    head = _head(node)
    word = type(node).__name__.lower().removeprefix("async")
    return f"{word} {ast.unparse(head)}" if head is not None else word


def _parts(node: ast.stmt) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    match node:
        case ast.Try():
            yield "", node.body
            for handler in node.handlers:
                caught = ast.unparse(handler.type) if handler.type else ""
                yield f"except {caught}", handler.body
            yield "else", node.orelse
            yield "finally", node.finalbody
        case ast.Match():
            for case in node.cases:
                yield f"case {ast.unparse(case.pattern)}", case.body
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
            yield "", node.body
            yield "else", node.orelse
        case ast.With() | ast.AsyncWith():
            yield "", node.body


def _shown(call: ast.Call) -> str:
    """The call, with what history keeps of it: a name, a child's id, whether there is a timer."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    shown = []
    if call.args and (name in NAMED_BY_FIRST or "activity" in name or "child" in name):
        shown.append(ast.unparse(call.args[0]))
    shown += [
        f"{keyword.arg}={ast.unparse(keyword.value)}"
        for keyword in call.keywords
        if keyword.arg in ("id", "timeout")
    ]
    return f"{name}({', '.join(shown)})"


if __name__ == "__main__":
    sys.stdout.write((refresh() or "Nothing has changed.") + "\n")
