"""A chain in a file, to be verified far from the database it was written to: one line each."""

import json
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from rollback_manager.audit.entries import Anchor, Entry, as_read, as_written

FORMAT = {"format": "rollback-manager audit", "version": 1}


class NotExported(Exception):
    """A line that is none of an export, with its number."""


def head() -> str:
    """The first line. Then come the anchors, then the entries, each the oldest first."""
    return json.dumps(FORMAT) + "\n"


def line_of(one: Anchor | Entry) -> str:
    """The line of an anchor or an entry."""
    if isinstance(one, Anchor):
        return json.dumps({"anchor": one.model_dump(mode="json")}) + "\n"
    return json.dumps({"entry": as_written(one)}, ensure_ascii=False) + "\n"


class Exported:
    """An export as it is read: anchors at once, entries one by one, for there may be millions."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = enumerate(text, 1)
        self._first: Entry | None = None
        if self._next() != FORMAT:
            raise NotExported("line 1 does not say that this is an export of an audit chain")
        self.anchors = tuple(self._anchors())

    def entries(self) -> Iterator[Entry]:
        """The entries, in the order in which they stand in the file."""
        if self._first is not None:
            yield self._first
        while (line := self._next()) is not None:
            yield self._entry(line)

    def _anchors(self) -> Iterator[Anchor]:
        while (line := self._next()) is not None:
            if "anchor" not in line:
                self._first = self._entry(line)
                return
            yield _anchor(line["anchor"])

    def _entry(self, line: dict[str, object]) -> Entry:
        written = line.get("entry")
        if not isinstance(written, dict) or set(written) != set(Entry.model_fields):
            raise NotExported("a line in it holds no entry, or more than one can hold")
        return as_read(written)

    def _next(self) -> dict[str, object] | None:
        number, text = next(self._text, (0, ""))
        if not number:
            return None
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            raise NotExported(f"line {number} is no JSON object")
        return line


def key_ids(text: str) -> frozenset[str]:
    """Ids of trusted keys, one a line; what follows a # is for people."""
    found = (line.partition("#")[0].strip() for line in text.splitlines())
    return frozenset(one for one in found if one)


def anchors_of(text: str) -> tuple[Anchor, ...]:
    """Anchors as their file keeps them, one a line; what a crash cut short is left out."""
    whole = (line for line in text.splitlines() if line.endswith("}"))
    try:
        return tuple(_anchor(json.loads(line)) for line in whole)
    except ValueError:
        raise NotExported("a line of the anchors is no JSON object") from None


def _anchor(written: object) -> Anchor:
    try:
        return Anchor.model_validate(written, extra="forbid")
    except ValidationError:
        raise NotExported("an anchor in it is none") from None
