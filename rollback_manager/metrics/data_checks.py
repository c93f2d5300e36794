"""Checks of a service's data: read-only SQL of the catalogue, and what its rows say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from rollback_manager.metrics.sources import TokenReference
from rollback_manager.values import Timeout, Value
from rollback_manager.verification import Answer, Verdict

MOST_ROWS = 100
"""Rows that are looked at; more of them are only "more"."""
BEGINS = re.compile(r"(select|with|values|table)\b", re.IGNORECASE)
WRITES = re.compile(r"(?<![.\w])(insert|update|delete|merge|into)\b", re.IGNORECASE)
"""With FOR UPDATE among them, which locks rows that users wait for."""
QUOTED = re.compile(
    r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$", re.DOTALL
)


def _one_query(sql: str) -> str:
    """A first sieve, for people: what forbids writing is the database's own session."""
    text = sql.strip().removesuffix(";").strip()
    if ";" in text:
        raise ValueError("one statement, and no semicolon in it: write chr(59) for one in a text")
    if not BEGINS.match(text):
        raise ValueError("a query: it begins with SELECT, WITH, VALUES or TABLE")
    if writes := WRITES.search(QUOTED.sub(" ", text)):
        word = writes[0].upper()
        raise ValueError(f"a data check may only read, not {word}; a name goes into double quotes")
    return text


class DataCheck(Value):
    """One query that says whether data are as they must be. It runs in a read-only session."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    database: TokenReference
    """Where the database's URL is, with its password, never the URL: `env:NAME` or `file:/PATH`.
    `postgresql://USER:PASSWORD@HOST/DATABASE` of a user who may only read, or
    `sqlite:////ABSOLUTE/PATH`."""
    sql: Annotated[str, AfterValidator(_one_query)]
    expect: Literal["no rows"] | float = "no rows"
    """"no rows": the query looks for what must not be. A number: the one value of its one row."""
    every_s: Annotated[Timeout, Field(ge=1)] = 300
    """Between two runs, also while no release is watched: how it was before one is known from then.
    Each run is a load on that database, of `within_ms` at most."""
    within_ms: Annotated[Timeout, Field(ge=1)] = 5000
    """The database ends the query after so long; that is no answer. At most `every_s`."""

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> DataCheck:
        if self.within_ms > self.every_s * 1000:
            raise ValueError(
                f"within_ms {self.within_ms:g} is longer than every_s {self.every_s:g}:"
                " the next run would be due before this one ends"
            )
        return self


def judged(check: DataCheck, rows: Sequence[Sequence[object]]) -> Verdict:
    """What the rows say; values of single rows are never repeated, for they may be anybody's."""
    if check.expect == "no rows":
        count = f"more than {MOST_ROWS}" if len(rows) > MOST_ROWS else str(len(rows))
        because = f"{count} rows that must not be" if rows else "no rows"
        return _verdict(check, Answer.FAILED if rows else Answer.PASSED, because)
    value = rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else None
    try:
        number = float(str(value))
    except ValueError:
        return no_answer(check, "one row with one number was expected")
    passed = number == check.expect
    because = f"{number:g}" if passed else f"{number:g}, expected {check.expect:g}"
    return _verdict(check, Answer.PASSED if passed else Answer.FAILED, because)


def no_answer(check: DataCheck, because: str) -> Verdict:
    """Why the check says nothing: never that the data are well, nor that they are not."""
    return _verdict(check, Answer.ERROR, because)


def _verdict(check: DataCheck, answer: Answer, because: str) -> Verdict:
    return Verdict(check=f"data: {check.name}", answer=answer, because=f"{check.name}: {because}")
