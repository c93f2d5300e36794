"""No regular expression is slow on a text made for that (security T39).

One that is, holds the whole process: nothing else of it runs while `re` looks.
"""

import re
from pathlib import Path

import pytest

from tests.patterns import PACKAGES, ROOT, Used, slow, used


def test_no_pattern_takes_four_times_as_long_for_twice_the_text() -> None:
    every = used()
    assert len(every) > 60
    assert [said for one in every if (said := slow(one))] == []


@pytest.mark.parametrize(
    ("pattern", "way"),
    [
        (r"/(?:[A-Za-z0-9_.-]+/?)*", "fullmatch"),  # as it stood in the sign-in
        (r"\{\{\s*([^{}]*?)\s*\}\}", "finditer"),  # as it stood in the import
        (r"(\d+)(ms|[smhdwy])", "findall"),
    ],
)
def test_one_that_does_is_found(pattern: str, way: str) -> None:
    assert slow(Used("here", re.compile(pattern), frozenset({way})))


def test_patterns_of_fields_are_read_by_an_engine_that_cannot_be_slow() -> None:
    """Pydantic's own is Rust's, linear by construction; it can be swapped for Python's."""
    texts = [p.read_text(encoding="utf-8") for one in PACKAGES for p in _files(ROOT / one)]
    assert not [text for text in texts if "regex_engine" in text]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))
