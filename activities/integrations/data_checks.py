"""Data checks on PostgreSQL and SQLite, in sessions that cannot write."""

import os
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from activities.bearer import token_of
from activities.database_urls import PASSWORDS, NoDatabaseUrl, check_places, veiled
from rollback_manager.errors import PermanentError
from rollback_manager.metrics.data_checks import MOST_ROWS, DataCheck, judged, no_answer
from rollback_manager.verification import Verdict

CONNECT_S = 2
LONGEST_TEXT = 300
SQLITE = "sqlite:///"
READ_ONLY, ENDS_MS = "SET default_transaction_read_only = on", "SET statement_timeout ="
"""Begun in the transaction and undone with it: not by `options`, which would replace those of the
URL, such as its search_path, and which PgBouncer refuses. A COMMIT inside would make them stay."""
STEPS = 1000
"""Of SQLite's machine between two looks at the clock: well below a millisecond."""
READS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
"""All that a query may do in SQLite; no ATTACH, no PRAGMA."""


class SqlDataCheck:
    """One check of the catalogue. A connection for each run: nothing is held open at a database."""

    def __init__(self, check: DataCheck) -> None:
        self._check = check

    def run(self) -> Verdict:
        """The verdict; a database that is away, slow or refuses is an error, not a failed check."""
        try:
            url = token_of(self._check.database, "database's URL", "database")
            return judged(self._check, self._rows(url))
        except PermanentError as error:  # of the reference: nothing of what it holds
            return no_answer(self._check, error.what)
        except (psycopg.Error, sqlite3.Error) as error:
            return no_answer(self._check, self._said(error, url))

    def _rows(self, url: str) -> Sequence[Sequence[object]]:
        if url.startswith(SQLITE):
            return self._of_sqlite(unquote(url.removeprefix(SQLITE)))
        if url.startswith(("postgresql://", "postgres://")):
            return self._of_postgresql(url)
        raise PermanentError("its database is neither postgresql:// nor sqlite:///")

    def _check_url(self, url: str) -> None:
        """Before libpq has it: what that says of a URL that it cannot read repeats the URL."""
        try:
            _as_libpq_reads_it(url)
        except NoDatabaseUrl:
            place = self._check.database
            raise PermanentError(f"the URL that {place} names is no database URL") from None

    def _of_postgresql(self, url: str) -> Sequence[Sequence[object]]:
        """A transaction that is read-only from its begin on can never become another.

        A cursor of the server is a query by its grammar, one statement by its protocol, and gives
        no more rows than are asked for.
        """
        self._check_url(url)
        within_s = self._check.within_ms / 1000
        with (
            psycopg.connect(
                url,
                connect_timeout=CONNECT_S,
                application_name="rollback-manager data check",
            ) as connection,
            _cut_off(connection, 2 * within_s + CONNECT_S),
        ):
            connection.read_only = True
            connection.execute(f"{READ_ONLY}; {ENDS_MS} {self._check.within_ms:.0f}".encode())
            with connection.cursor(name="data_check") as cursor:
                cursor.execute(self._check.sql.encode())
                rows = cursor.fetchmany(MOST_ROWS + 1)
            connection.rollback()  # what older servers let pass, large objects, stays nowhere
            return rows

    def _of_sqlite(self, path: str) -> Sequence[Sequence[object]]:
        until = time.monotonic() + self._check.within_ms / 1000
        with closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {self._check.within_ms:.0f}")
            connection.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in READS else sqlite3.SQLITE_DENY
            )
            connection.set_progress_handler(lambda: int(time.monotonic() > until), STEPS)
            return connection.execute(self._check.sql).fetchmany(MOST_ROWS + 1)

    def _said(self, error: Exception, url: str) -> str:
        text = " ".join(veiled(str(error), *_secrets_of(url)).split())[:LONGEST_TEXT]
        match error:
            case errors.ReadOnlySqlTransaction():
                return f"it tries to write, which its session forbids: {text}"
            case errors.QueryCanceled():
                return f"slow: not answered within {self._check.within_ms:.0f} ms"
            case errors.InsufficientPrivilege():
                return f"not allowed: {text}"
            case psycopg.OperationalError():
                return f"down: {text}"
            case sqlite3.OperationalError() if text == "interrupted":
                return f"slow: not answered within {self._check.within_ms:.0f} ms"
            case _:
                return f"refused: {text}"


@contextmanager
def _cut_off(
    connection: "psycopg.Connection[tuple[object, ...]]", after_s: float
) -> Iterator[None]:
    """End the conversation with a server that says nothing any more, not even that it is slow."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        timer = threading.Timer(after_s, _shut, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _shut(line: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        line.shutdown(socket.SHUT_RDWR)


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _as_libpq_reads_it(url: str) -> dict[str, str]:
    """What libpq takes a postgresql:// URL for, by its own names; NoDatabaseUrl where it is none.

    Its errors repeat the URL or pieces of it, so that none of them may be told, and none is kept.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error:
        raise NoDatabaseUrl from None
    if re.search(r"[^0-9,]", given.get("port", "")):  # what follows a : or a / in a password
        raise NoDatabaseUrl
    check_places(given.get("host"), given.get("dbname"))
    return given


def _secrets_of(url: str) -> tuple[set[str], str]:
    """All that must not be told of a URL, as written and as libpq reads it; and the user's name."""
    try:
        given = _as_libpq_reads_it(url)
    except NoDatabaseUrl:  # SQLite's, which has none
        return {url}, ""
    written = urlsplit(url).netloc.rpartition("@")[0]
    told = {url, written, written.partition(":")[2]}
    return told | {given.get(name, "") for name in PASSWORDS}, given.get("user", "")
