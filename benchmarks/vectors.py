"""The rows of tests/data (see its README), what is made of them, and whether it agrees.

Tests and `benchmarks.score_data` both read them here; `vector_calls` knows how a row is spelled.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.vector_calls import LONE, READERS, Fields

ROWS = Path(__file__).parent.parent / "tests" / "data"
GROUPS = ("kayenta", "argo")
ROUNDING = 1e-9


@dataclass(frozen=True)
class Vector:
    """One row: `suite` is its file's name, `group` its folder's."""

    group: str
    suite: str
    row: Fields

    @property
    def name(self) -> str:
        """What disagreements and tests call it."""
        return f"{self.group}/{self.suite}/{self.row['name']}"

    def came_out(self) -> Fields:
        """What our code answers. Raises KeyError or ValueError for a row that it cannot read."""
        return READERS[self.suite](self.row)

    def disagreement(self) -> str:
        """How the answer differs from the expected one; empty if it does not."""
        try:
            answer = self.came_out()
        except Exception as error:  # noqa: BLE001  # one row that breaks must not hide the rest
            return f"{type(error).__name__}: {error}"
        asked = self._asked()
        if not asked:
            return "the row expects nothing"
        got = {key: answer.get(key) for key in asked}
        return "" if agrees(asked, got) else f"expected {asked}, got {got}"

    def _asked(self) -> Fields:
        expected: Fields = self.row["expected"]
        if "abs_tol" in expected:
            return {LONE: expected}
        nothing_said = self.group == "argo"
        return {k: v for k, v in expected.items() if v is not None or not nothing_said}


def vectors(folder: Path = ROWS, group: str = "*") -> Iterator[Vector]:
    """All rows below a folder, file by file."""
    for path in sorted(folder.glob(f"{group}/*.json")):
        if path.parent.name in GROUPS:
            for row in json.loads(path.read_text())["rows"]:
                yield Vector(path.parent.name, path.stem, row)


def agrees(expected: Any, got: Any) -> bool:
    """Equal, but for the rounding of numbers and the tolerance that a row grants."""
    match expected:
        case {"value": value, "abs_tol": within}:
            return _close(value, got, max(within, ROUNDING))
        case Mapping():
            known = isinstance(got, Mapping) and expected.keys() <= got.keys()
            return known and all(agrees(expected[key], got[key]) for key in expected)
        case list():
            same = isinstance(got, list | tuple) and len(expected) == len(got)
            return same and all(agrees(*pair) for pair in zip(expected, got, strict=True))
        case bool() | str():
            return bool(expected == got)
        case _:
            return _close(expected, got, ROUNDING)


def _close(expected: Any, got: Any, within: float) -> bool:
    missing = got is None or (isinstance(got, float) and math.isnan(got))
    if expected is None or missing:
        return expected is None and missing
    return isinstance(got, int | float) and abs(expected - got) <= within
