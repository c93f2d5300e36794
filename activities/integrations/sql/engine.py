"""The database opened, and its errors made ours."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004 - SQLAlchemy's own: the pool had no connection left
)

from activities.database_urls import (
    PASSWORDS,
    NoDatabaseUrl,
    check_places,
    veiled,
)
from rollback_manager.errors import PermanentError, RollbackError, Unreachable
from rollback_manager.veil import VEIL

CONNECT_S = 2
ANSWER_MS = 5000
"""Both below the heartbeat time-out of an activity, so that a silent database is noticed first."""
SWITCH_AGAIN_S = 0.01
LONGEST_TEXT = 300


def engine_for(url: str) -> Engine:
    """The database that `url` names; nothing is connected to yet.

    `sqlite:////absolute/path` (folder and file are made, for this user alone) or
    `postgresql://user@host/database`. PermanentError for anything else.
    """
    try:
        parsed = _parsed(url)
    except NoDatabaseUrl:
        raise PermanentError(
            "the address of the records is not a database URL",
            effect="Nothing was started; production is unchanged.",
            next_step="Write @ : / and % in its password as %40 %3A %2F and %25.",
        ) from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _sqlite(parsed)
        case "postgres" | "postgresql" | "postgresql+psycopg":
            return _postgresql(parsed.set(drivername="postgresql+psycopg"))
        case unknown:
            raise PermanentError(
                f"records cannot be kept in {unknown!r}; known: sqlite, postgresql"
            )


@contextmanager
def answered(engine: Engine) -> Iterator[None]:
    """Whatever SQLAlchemy raises inside, as an error of ours with the cause kept."""
    try:
        yield
    except (SQLAlchemyError, ValidationError) as error:
        raise _ours(error, engine) from error


def _parsed(url: str) -> URL:
    """Without what SQLAlchemy says of a URL that it cannot read: that would repeat it."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the second one of a port, with what stands there
        raise NoDatabaseUrl from None
    if parsed.get_backend_name() != "sqlite":  # a file may have any name
        check_places(parsed.host, parsed.database)
    return parsed


def _sqlite(url: URL) -> Engine:
    if url.database in {None, "", ":memory:"}:
        raise PermanentError("records must outlive this process: name a file for SQLite")
    file = Path(str(url.database))
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise PermanentError(f"the records cannot be kept in {file}: {error.strerror}") from error
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # else Python begins transactions, too late and too weakly
    _write_ahead(connection)
    connection.execute(f"PRAGMA busy_timeout = {ANSWER_MS}")
    connection.execute("PRAGMA synchronous = FULL")  # an epoch lost with the power is drawn twice
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """The file in WAL mode, also while others open it for the first time.

    Whoever holds the lock of a new file makes the switch fail at once: SQLite's own time-out does
    not cover it. So it is switched off, and the waiting, up to ANSWER_MS, is done here.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    until = time.monotonic() + ANSWER_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # nothing to do if it is so already
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # without its extension
            if not busy or time.monotonic() > until:
                raise
        time.sleep(SWITCH_AGAIN_S)


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that reads first can no longer wait for it."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL) -> Engine:
    for secret in (url.password or "", *(str(url.query.get(name, "")) for name in PASSWORDS)):
        VEIL.remember(secret)
    limits = f"-c statement_timeout={ANSWER_MS} -c lock_timeout={ANSWER_MS}"
    asked: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "application_name": "rollback-manager",
        "options": limits,
    }
    connect_args = {name: value for name, value in asked.items() if name not in url.query}
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=connect_args)


def _ours(error: SQLAlchemyError | ValidationError, engine: Engine) -> RollbackError:
    place = engine.url.difference_update_query(PASSWORDS).render_as_string(hide_password=True)
    said = _text(error, engine.url)
    if _is_outage(error):
        return Unreachable(
            f"the records at {place} do not answer: {said}",
            effect="Nothing is written to production without the records.",
            next_step="Bring the database back; this is tried again by itself.",
        )
    return PermanentError(
        f"the records at {place} refused: {said}",
        next_step="Start a worker of this build: it brings the tables up to date, or says why not.",
    )


def _is_outage(error: SQLAlchemyError | ValidationError) -> bool:
    """Whether it may pass by itself; SQLite reports a missing table as operational, too."""
    if isinstance(error, DBAPIError):
        wrong_sql = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        return error.connection_invalidated or (
            isinstance(error, OperationalError) and not wrong_sql
        )
    return isinstance(error, TimeoutError)


def _text(error: SQLAlchemyError | ValidationError, url: URL) -> str:
    if isinstance(error, ValidationError):  # its own text repeats the values
        return f"{error.error_count()} values of {error.title} cannot be read by this build"
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    in_query = {str(url.query[name]) for name in PASSWORDS if name in url.query}
    return " ".join(veiled(text, {url.password or "", *in_query}).split())[:LONGEST_TEXT]
