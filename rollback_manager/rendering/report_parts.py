"""What a report is put together from, whatever page it becomes."""

from typing import NamedTuple


class Table(NamedTuple):
    """A table of plain text, not yet escaped."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(NamedTuple):
    """A part of the report: sentences, then tables, then shell lines; none of it escaped."""

    title: str
    lines: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    shell: tuple[str, ...] = ()
