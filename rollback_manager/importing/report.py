"""What became of each line of a configuration that was brought along."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from rollback_manager.errors import Blocked, PermanentError
from rollback_manager.rendering.layout import foreign, labelled
from rollback_manager.values import Value

UNCHANGED = "Nothing was written; production is unchanged."
MEND = "Mend the file, then import it again."
LONGEST_FILE = 1_000_000
"""Bytes. Thousands of metrics fit; what is larger is an export of something else."""
LONGEST_NAME = 100


class Fate(StrEnum):
    """What became of one line."""

    TAKEN = "taken over"
    APPROXIMATED = "approximated"
    IGNORED = "not imported"


class Line(Value):
    """One line of the file, by its path in it, and what became of it in words."""

    where: str
    fate: Fate
    says: str


class Imported(Value):
    """A fragment of the catalogue, for one service in one environment, and how it came about.

    judges, business: how many of them the fragment has. kind: what the file is, in words.
    """

    kind: str
    fragment: str
    judges: int
    business: int
    lines: tuple[Line, ...]


class ImportRefused(PermanentError):
    """The file is not what it should be; nothing of it is used."""


class Notes:
    """Gathers the lines in the order in which they come up."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def taken(self, where: str, says: str) -> None:
        """It means the same here."""
        self._add(where, Fate.TAKEN, says)

    def approximated(self, where: str, says: str) -> None:
        """It has a counterpart that differs; `says` how."""
        self._add(where, Fate.APPROXIMATED, says)

    def ignored(self, where: str, says: str) -> None:
        """It has none; `says` why."""
        self._add(where, Fate.IGNORED, says)

    def _add(self, where: str, fate: Fate, says: str) -> None:
        self.lines.append(Line(where=foreign(where), fate=fate, says=foreign(says)))


def refused(name: str, what: str, next_step: str) -> ImportRefused:
    """The one error of a file that cannot be used."""
    return ImportRefused(f"{name}: {foreign(what)}", effect=UNCHANGED, next_step=next_step)


def nothing_left(name: str, lines: list[Line]) -> Blocked:
    """Nothing in it has a counterpart: an empty fragment would look like a success."""
    said = [f"{name}: nothing in it can be judged here", *in_words(lines)]
    return Blocked(
        "\n".join(said),
        effect=UNCHANGED,
        next_step="Declare what is counted under `metrics:` or `business:`, and judge that:"
        " rollback-manager catalogue schema",
    )


def in_words(lines: list[Line] | tuple[Line, ...]) -> list[str]:
    """The table for people, grouped by what became of the lines."""
    rows: list[str] = []
    for fate in Fate:
        texts = [f"{line.where}: {line.says}" for line in lines if line.fate is fate]
        rows += labelled(fate, texts, indent=15)
    return rows


def short(text: object, otherwise: str = "unnamed") -> str:
    """A name of the file's, fit for the catalogue."""
    return foreign(str(text or otherwise), LONGEST_NAME) or otherwise


def apart(name: str, taken: Iterable[str]) -> str:
    """The name, or with a number behind it where it is taken."""
    known = set(taken)
    if name not in known:
        return name
    return next(
        made
        for number in range(2, len(known) + 3)
        if (made := f"{name[: LONGEST_NAME - 6]} ({number})") not in known
    )


def without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    """The mapping without empty values."""
    return {key: value for key, value in document.items() if value not in (None, "", {}, [], ())}
