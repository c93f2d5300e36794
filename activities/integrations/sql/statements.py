"""What SQLite and PostgreSQL can both do and SQLAlchemy spells per database."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def put(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    """Insert the row, or replace the one of the same primary key."""
    key = [column.name for column in table.primary_key]
    rest = {name: value for name, value in row.items() if name not in key}
    inserted = insert(connection, table).values(row)
    connection.execute(inserted.on_conflict_do_update(index_elements=key, set_=rest))


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Both can say what happens on conflict; SQLAlchemy spells it per database."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
