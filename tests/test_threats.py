"""The table of threats names what there is: every test, every target of make, every threat once."""

import re
from functools import cache

import pytest

from tests.test_documents import ROOT

TABLE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("| T")
]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", TABLE)))
TARGETS = sorted(set(re.findall(r"`make ([a-z-]+)`", TABLE)))


def test_each_threat_stands_there_once_and_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"T{n:02}" for n in range(1, 41)]
    assert {len(row) for row in ROWS} == {5}


def test_a_threat_without_a_test_says_that_nothing_is_built() -> None:
    bare = [row for row in ROWS if "tests/" not in row[3] and "make " not in row[3]]
    assert [row[0] for row in bare if "**not" not in row[4]] == []


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_is_there(named: str) -> None:
    file, _, function = named.partition("::")
    assert (ROOT / file).is_file()
    assert not function or function in _functions(file)


@cache
def _functions(file: str) -> frozenset[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_of_make_that_is_named_is_there(target: str) -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", rules, re.MULTILINE)
