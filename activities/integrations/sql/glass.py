"""Broken glass in SQL, and which environments were secured once."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select, update

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import insert
from activities.integrations.sql.tables import glasses as table
from activities.integrations.sql.tables import secured
from rollback_manager.glass import Glass


class SqlGlasses:
    """Safe to share between threads; every method raises Unreachable while there is no answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def keep_glass(self, glass: Glass) -> None:
        """Keep it under its rollback; what is there already stays as it is."""
        row = glass.model_dump() | {"services": " ".join(glass.services)}
        with answered(self._engine), self._writing.begin() as connection:
            connection.execute(insert(connection, table).values(row).on_conflict_do_nothing())

    def glasses(self, env: str) -> tuple[Glass, ...]:
        """All of an environment, newest first."""
        asked = select(table).where(table.c.env == env).order_by(table.c.broken_at.desc())
        with answered(self._engine), self._engine.connect() as connection:
            return tuple(_glass(dict(row)) for row in connection.execute(asked).mappings())

    def review_glass(self, rollback: str, by: str, said: str, at: datetime) -> None:
        """Note the review; one that was noted already stays as it is."""
        mine = (table.c.rollback == rollback) & table.c.reviewed_at.is_(None)
        noted = update(table).where(mine).values(reviewed_at=at, reviewed_by=by, said=said)
        with answered(self._engine), self._writing.begin() as connection:
            connection.execute(noted)

    def keep_secured(self, env: str) -> None:
        """This environment is of level secured, and must not become local unnoticed."""
        row = {"env": env, "since": datetime.now(UTC)}
        with answered(self._engine), self._writing.begin() as connection:
            connection.execute(insert(connection, secured).values(row).on_conflict_do_nothing())

    def once_secured(self) -> frozenset[str]:
        """Environments that were of level secured at some time."""
        with answered(self._engine), self._engine.connect() as connection:
            return frozenset(row.env for row in connection.execute(select(secured.c.env)))


def _glass(row: dict[str, Any]) -> Glass:
    return Glass.model_validate({**row, "services": tuple(row["services"].split())})
