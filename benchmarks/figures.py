"""Medians with their spread, and the table that shows them."""

import sys
from dataclasses import dataclass
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table


def progress(words: str) -> None:
    """One line on stderr: stdout is for results."""
    print(words, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Figure:
    """The middle of a row of measurements, and between which values half of them lie."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Figure":
        """Of at least one value."""
        low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return cls(median(values), low, high)

    @property
    def spread(self) -> list[float]:
        """The lower and the upper quartile."""
        return [round(self.low, 3), round(self.high, 3)]


def ratio(ours: list[float], plain: list[float]) -> Figure:
    """Ours over plain, pair by pair: what disturbs the machine disturbs both of a pair."""
    return Figure.of([a / b for a, b in zip(ours, plain, strict=True)])


@dataclass(frozen=True)
class Row:
    """One line of the table. goal: highest value that is well; None where there is none."""

    name: str
    figure: Figure
    unit: str = "×"
    goal: float | None = None


def show(title: str, rows: list[Row]) -> None:
    """The table on stdout."""
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("median", "quartiles", "goal"):
        table.add_column(name, justify="right")
    for row in rows:
        low, high = row.figure.low, row.figure.high
        goal = "" if row.goal is None else f"≤ {row.goal:g} {_met(row)}"
        spread = f"{low:.2f} – {high:.2f}"
        table.add_row(row.name, f"{row.figure.median:.2f} {row.unit}", spread, goal)
    Console(width=100).print(table)


def _met(row: Row) -> str:
    return "met" if row.goal is not None and row.figure.median <= row.goal else "MISSED"
