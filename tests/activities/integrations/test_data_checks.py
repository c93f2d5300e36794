"""Data checks on a real PostgreSQL and a real SQLite: they read, in time, or say why not."""

import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from activities.integrations import data_checks
from activities.integrations.data_checks import SqlDataCheck
from rollback_manager.metrics.data_checks import DataCheck
from rollback_manager.verification import Answer, Verdict

REFERENCE = "TEST_DATA_CHECK_URL"
TABLE = "CREATE TABLE orders (id integer PRIMARY KEY, customer integer, total integer)"
ROWS = "INSERT INTO orders VALUES (1, 7, 10), (2, NULL, 20)"


@pytest.fixture
def postgres(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    monkeypatch.setenv(REFERENCE, postgres_url)
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A table of two orders, of which one has no customer."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres"))
    file = tmp_path / "shop 100%.db"
    with sqlite3.connect(file) as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    connection.close()
    monkeypatch.setenv(REFERENCE, f"sqlite:///{quote(str(file))}")
    return str(file)


def run(sql: str, **more: object) -> Verdict:
    described = {"name": "orders", "database": f"env:{REFERENCE}", "sql": sql, **more}
    return SqlDataCheck(DataCheck.model_validate(described)).run()


@pytest.mark.parametrize(
    ("sql", "expect", "answer", "because"),
    [
        ("SELECT id FROM orders WHERE total < 0", "no rows", Answer.PASSED, "no rows"),
        ("SELECT * FROM orders WHERE customer IS NULL;", "no rows", Answer.FAILED, "1 rows that"),
        ("SELECT count(*) FROM orders", 2, Answer.PASSED, "2"),
        ("SELECT sum(total) FROM orders", 31, Answer.FAILED, "30, expected 31"),
        ("SELECT sum(total) FROM orders WHERE id > 9", 0, Answer.ERROR, "one number"),
        ("SELECT id FROM orders", 2, Answer.ERROR, "one row with one number"),
        ("SELECT total FROM missing", "no rows", Answer.ERROR, "refused"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
            " SELECT i FROM n",
            "no rows",
            Answer.FAILED,
            "more than 100 rows",
        ),
        ("SELECT '100 %' LIKE '%100%' FROM orders WHERE false", "no rows", Answer.PASSED, ""),
    ],
)
def test_what_rows_say(
    database: str, sql: str, expect: object, answer: Answer, because: str
) -> None:
    said = run(sql, expect=expect)
    assert (said.check, said.answer) == ("data: orders", answer), said
    assert because in said.because


def test_nobodys_rows_are_repeated(database: str) -> None:
    said = run("SELECT total, customer FROM orders WHERE total = 10")
    assert said.answer is Answer.FAILED
    assert "10" not in said.because.replace("100", "")


WRITES = [
    "SELECT setval('orders_seq', 9)",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT id FROM gone",
    "SELECT * FROM wipe()",
    "SELECT set_config('transaction_read_only', 'off', false), wipe()",
    "SELECT set_config('default_transaction_read_only', 'off', false), wipe()",
    "SELECT id INTO copied FROM orders",
]


@pytest.mark.parametrize("sql", WRITES)
def test_a_query_that_tries_to_write_is_refused_by_postgresql(postgres: str, sql: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE orders_seq")
        connection.execute(
            "CREATE FUNCTION wipe() RETURNS integer LANGUAGE sql AS"
            " 'WITH gone AS (DELETE FROM orders RETURNING 1) SELECT count(*)::integer FROM gone'"
        )
    past = DataCheck(name="orders", database=f"env:{REFERENCE}", sql="SELECT 1")
    said = SqlDataCheck(past.model_copy(update={"sql": sql})).run()  # as if nobody had checked it
    assert said.answer is Answer.ERROR, said
    with psycopg.connect(postgres) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (2,)
        assert connection.execute("SELECT to_regclass('copied')").fetchone() == (None,)
        assert connection.execute("SELECT last_value FROM orders_seq").fetchone() == (1,)


def test_it_is_the_session_that_forbids_writing(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql AS"
            " 'BEGIN DELETE FROM orders; END'"
        )
    assert "tries to write, which its session forbids" in run("SELECT wipe()").because


def test_what_older_servers_let_pass_is_rolled_back(postgres: str) -> None:
    """A read-only transaction of PostgreSQL 15 still makes large objects."""
    run("SELECT lo_create(0)")
    with psycopg.connect(postgres) as connection:
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


def test_more_than_one_statement_is_refused_by_the_catalogue_and_by_postgresql(
    postgres: str,
) -> None:
    two = "SELECT 1; DELETE FROM orders"
    with pytest.raises(ValidationError, match="no semicolon"):
        run(two)
    past = DataCheck(name="orders", database=f"env:{REFERENCE}", sql="SELECT 1")
    for sneaked in (two, "SELECT 1; COMMIT; DELETE FROM orders"):
        said = SqlDataCheck(past.model_copy(update={"sql": sneaked})).run()
        assert said.answer is Answer.ERROR, said
        with psycopg.connect(postgres) as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchone() == (2,)


@pytest.mark.parametrize(
    "sql", ["DELETE FROM orders", "UPDATE orders SET total = 0", "EXPLAIN SELECT 1", "", "selected"]
)
def test_what_is_no_query_is_refused_by_the_catalogue(sql: str) -> None:
    with pytest.raises(ValidationError, match="begins with SELECT"):
        run(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "SELECT 1; DELETE FROM orders",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only = 0",
    ],
)
def test_sqlite_refuses_whatever_is_no_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(TABLE)
        connection.execute(ROWS)
    connection.close()
    monkeypatch.setenv(REFERENCE, f"sqlite:///{tmp_path}/shop.db")
    check = DataCheck(name="orders", database=f"env:{REFERENCE}", sql="SELECT 1")
    said = SqlDataCheck(check.model_copy(update={"sql": sql})).run()
    assert said.answer is Answer.ERROR, said
    assert "refused" in said.because
    assert [file.name for file in tmp_path.iterdir()] == ["shop.db"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep(20)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    ],
)
def test_a_slow_query_is_ended_by_postgresql(postgres: str, sql: str) -> None:
    began = time.monotonic()
    said = run(sql, within_ms=300)
    assert said.answer is Answer.ERROR
    assert "slow: not answered within 300 ms" in said.because
    assert time.monotonic() - began < 15  # of the 20 that it would sleep


def test_a_slow_query_is_ended_in_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite3.connect(tmp_path / "shop.db").close()
    monkeypatch.setenv(REFERENCE, f"sqlite:///{tmp_path}/shop.db")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    said = run(endless, within_ms=300)
    assert said.answer is Answer.ERROR
    assert "slow" in said.because


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may stop the server's process")
def test_a_server_that_says_nothing_any_more_is_let_go(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_checks, "CONNECT_S", 2)
    stopped, over = threading.Event(), threading.Event()

    def stop() -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            asked = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%data check'"
            while (row := connection.execute(asked).fetchone()) is None:
                time.sleep(0.05)
            os.kill(row[0], signal.SIGSTOP)
            stopped.set()
            over.wait(30)
            os.kill(row[0], signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    began = time.monotonic()
    said = run("SELECT pg_sleep(3)", within_ms=1500)
    took = time.monotonic() - began
    over.set()
    thread.join()
    assert stopped.is_set()
    assert said.answer is Answer.ERROR
    assert "down" in said.because
    assert took < 20, "it said nothing for as long as it was asked"


def test_a_database_that_is_away_is_no_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REFERENCE, "postgresql://reader:s3cret@127.0.0.1:1/shop")
    said = run("SELECT 1")
    assert said.answer is Answer.ERROR
    assert "down" in said.because
    assert "s3cret" not in said.because


def test_a_user_who_may_not_read_is_no_failed_check(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_url(postgres).set(username="nobody_at_all", password="x")  # noqa: S106 - no secret
    monkeypatch.setenv(REFERENCE, other.render_as_string(hide_password=False))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE ROLE nobody_at_all LOGIN PASSWORD 'x'")
        try:
            said = run("SELECT id FROM orders")
        finally:
            connection.execute("DROP ROLE nobody_at_all")
    assert said.answer is Answer.ERROR
    assert "not allowed: permission denied" in said.because


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("", "the database's URL at env:TEST_DATA_CHECK_URL is empty or not set"),
        ("mysql://root:s3cret@db/shop", "neither postgresql:// nor sqlite:///"),
        ("sqlite:////nowhere/shop.db", "refused"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch, url: str, because: str
) -> None:
    monkeypatch.setenv(REFERENCE, url)
    said = run("SELECT 1")
    assert said.answer is Answer.ERROR
    assert because in said.because
    assert "s3cret" not in said.because


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ro:s3cret%zz@127.0.0.1:1/shop",
        "postgresql://ro:s3cret@[::1/shop",
        "postgresql://ro:x@s3cret@127.0.0.1:1/shop",
        "postgresql://ro:s3cret/y@127.0.0.1:1/shop",
        "postgresql://ro:12/s3cret@127.0.0.1:1/shop",
        "postgresql://127.0.0.1:1/shop?s3cret=1",
        "postgresql://ro:x@127.0.0.1:s3cret/shop",
    ],
)
def test_what_cannot_be_read_as_a_url_is_told_without_a_piece_of_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(REFERENCE, url)
    said = run("SELECT 1")
    assert said.answer is Answer.ERROR
    assert said.because == f"orders: the URL that env:{REFERENCE} names is no database URL"


def test_a_database_that_refuses_us_is_told_without_user_and_password(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_url(postgres).set(username="n0body", password="s3cret")  # noqa: S106 - no secret
    monkeypatch.setenv(REFERENCE, other.render_as_string(hide_password=False))
    said = run("SELECT 1")
    assert said.answer is Answer.ERROR
    assert 'role "***"' in said.because or 'user "***"' in said.because
    said = run("SELECT 's3cret'::integer FROM orders")
    assert "n0body" not in said.because
    assert "s3cret" not in said.because


def test_a_password_that_a_database_repeats_is_hidden(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_url(postgres).update_query_dict({"password": "s3-cret", "sslpassword": "s4cret"})
    monkeypatch.setenv(REFERENCE, other.render_as_string(hide_password=False))
    because = run("SELECT ('s3-cret' || 's4cret')::integer FROM orders").because
    assert '"******"' in because


def test_options_in_the_url_hold_beside_our_own(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA billing")
        connection.execute("CREATE TABLE billing.invoices AS SELECT 3 AS id")
    other = make_url(postgres).update_query_dict({"options": "-csearch_path=billing"})
    monkeypatch.setenv(REFERENCE, other.render_as_string(hide_password=False))
    assert run("SELECT id FROM invoices", expect=3).answer is Answer.PASSED
    assert "slow: not" in run("SELECT pg_sleep(20)", within_ms=300).because


def test_nothing_is_asked_at_the_start_of_a_session_that_a_pooler_refuses(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PgBouncer refuses `options`; a session of its pool must come back as it was."""
    asked: list[dict[str, object]] = []
    real = psycopg.connect

    def connect(url: str, **more: object) -> object:
        asked.append(more)
        return real(url, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(psycopg, "connect", connect)
    assert run("SELECT count(*) FROM orders", expect=2).answer is Answer.PASSED
    assert [sorted(one) for one in asked] == [["application_name", "connect_timeout"]]
