"""Lines that fit a terminal and cannot be forged by what foreign text carries.

A surface composes logical lines; `page` alone makes them physical. It strips what would move the
cursor, colour, hide or reverse text, so no name and no reason can add a line of its own.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

COLUMNS = 80
FOREIGN_LIMIT = 300
"""Characters kept of a text that somebody else wrote."""
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
"""Escape sequences, whole: their bare letters would stay behind as noise (ECMA-48)."""
UNIT = re.compile(r"(?<! ) *(?:rollback-manager [^;,()]*[^;,() ]|[^ ]+)")
WHITE = frozenset("\t\n\r\v\f\x85\u2028\u2029")
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, bidirectional and zero-width marks, line separators: what a reader cannot see."""


def clean(text: str) -> str:
    """The text as one visible line: white space becomes blanks, what is invisible goes.

    The letters of an escape sequence stay: what one value opens must not swallow the next.
    """
    blanks = (" " if char in WHITE else char for char in text)
    return "".join(char for char in blanks if unicodedata.category(char) not in INVISIBLE)


def foreign(text: str, limit: int = FOREIGN_LIMIT) -> str:
    """A text of somebody else: clean, single-spaced and cut to `limit` characters."""
    once = " ".join(clean(ANSI.sub("", text)).split())
    return once if len(once) <= limit else once[: limit - 1] + "…"


def width(text: str) -> int:
    """Columns that the text takes: wide characters two, combining ones none."""
    return sum(_columns(char) for char in text)


def page(lines: Iterable[str], columns: int = COLUMNS) -> str:
    """The lines, clean and wrapped; what is wrapped hangs under the text of its line."""
    return "\n".join(part for line in lines for part in _wrapped(clean(line).rstrip(), columns))


def pad(text: str, columns: int) -> str:
    """The text, filled with blanks to `columns`."""
    return text + " " * max(0, columns - width(text))


def labelled(label: str, texts: Iterable[str], indent: int = 13) -> Iterator[str]:
    """The first text behind its label, the others below it."""
    for number, text in enumerate(texts):
        yield pad(label if number == 0 else "", indent - 2) + "  " + text


def command(label: str, *parts: str, columns: int = COLUMNS) -> Iterator[str]:
    """A command to paste: on one line, or continued by backslashes where it would be wrapped."""
    whole = label + " ".join(parts)
    if width(whole) <= columns:
        yield whole
        return
    yield f"{label}{parts[0]}" + " \\" * (len(parts) > 1)
    for number, part in enumerate(parts[1:], start=2):
        yield f"  {part}" + " \\" * (number < len(parts))


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) == "Me":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _wrapped(line: str, columns: int) -> Iterator[str]:
    if width(line) <= columns:
        yield line
        return
    indent = " " * min(_hang(line), columns // 2)
    row = ""
    for word in _units(line, columns - width(indent)):
        if row and width(row + word) > columns:
            yield row.rstrip()
            row, word = indent, word.lstrip()
        while width(row + word) > columns:
            fits = _fitting(word, columns - width(row))
            yield row + word[:fits]
            row, word = indent, word[fits:]
        row += word
    yield row


def _units(line: str, room: int) -> Iterator[str]:
    """The words, each with the blanks before it; a command stays whole where it fits a row."""
    for unit in UNIT.findall(line):
        if width(unit.strip()) <= room:
            yield unit
        else:
            yield from re.findall(r"(?<! ) *[^ ]+", unit)


def _hang(line: str) -> int:
    """Where the text of the line begins: after its leading blanks or the last wide gap before half.

    At least two: a wrapped text must not look like a line of its own.
    """
    gaps = re.finditer(r"(?:^ *|(?<! ) {2,})(?=[^ ])", line)
    return max(2, *(gap.end() for gap in gaps if gap.end() <= COLUMNS // 2), 2)


def _fitting(word: str, room: int) -> int:
    taken = 0
    for count, char in enumerate(word):
        taken += _columns(char)
        if taken > room:
            return max(1, count)
    return len(word)
