"""Checks of data as a catalogue has them: what cannot be one is refused before any database is."""

import pytest
from pydantic import ValidationError

from rollback_manager.metrics.data_checks import DataCheck


def check(sql: str = "SELECT 1", **more: object) -> DataCheck:
    described = {"name": "orders", "database": "env:SHOP", "sql": sql, **more}
    return DataCheck.model_validate(described)


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("WITH x AS (SELECT 1) DELETE FROM orders", "DELETE"),
        ("WITH x AS (insert into orders values (1) RETURNING 1) SELECT * FROM x", "INSERT"),
        ("SELECT id INTO copied FROM orders", "INTO"),
        ("SELECT id FROM orders\nFOR UPDATE", "UPDATE"),
        ("WITH x AS (SELECT 1) MERGE INTO orders USING x ON true", "MERGE"),
        ("SELECT 'a'--'\n, 1 INTO x", "INTO"),
    ],
)
def test_a_query_that_would_write_or_lock_is_refused(sql: str, word: str) -> None:
    with pytest.raises(ValidationError, match=f"a data check may only read, not {word};"):
        check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM audit WHERE action = 'DELETE' OR action = 'it''s an update'",
        'SELECT "update", a.merge FROM orders AS a',
        "SELECT updated_at, deleted, into_stock FROM orders -- no update",
        "SELECT /* delete\n nothing */ 1",
        "SELECT $q$insert into$q$, $$delete$$",
    ],
)
def test_words_that_are_quoted_or_parts_of_names_are_none(sql: str) -> None:
    assert check(sql).sql == sql


def test_a_check_ends_before_it_is_due_again() -> None:
    assert check(every_s=5, within_ms=5000).every_s == 5
    with pytest.raises(ValidationError, match="within_ms 5001 is longer than every_s 5:"):
        check(every_s=5, within_ms=5001)
