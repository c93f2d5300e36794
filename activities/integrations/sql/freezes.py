"""Freezes in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import insert
from activities.integrations.sql.tables import freezes as table
from rollback_manager.freezes import Direction, Freeze


class SqlFreezes:
    """Safe to share between threads; every method raises Unreachable while there is no answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def keep_freeze(self, freeze: Freeze) -> None:
        """Keep it under its id; what is there already stays as it is."""
        row = freeze.model_dump() | {"direction": freeze.direction.value}
        with answered(self._engine), self._writing.begin() as connection:
            connection.execute(insert(connection, table).values(row).on_conflict_do_nothing())

    def lift_freezes(
        self, env: str, service: str, by: str, at: datetime, *, ids: tuple[str, ...] = ()
    ) -> tuple[Freeze, ...]:
        """End those of exactly this that have not ended; they, as they are now.

        ids: these alone; empty: all of them. Again within the same call's retries it finds none
        that is left to end: harmless.
        """
        mine = (table.c.env == env) & (table.c.service == service)
        if ids:
            mine &= table.c.id.in_(ids)
        open_ = table.c.lifted_at.is_(None) & (table.c.until > at)
        lifted = update(table).where(mine, open_).values(lifted_at=at, lifted_by=by)
        with answered(self._engine), self._writing.begin() as connection:
            rows = connection.execute(lifted.returning(table)).mappings().all()
        return tuple(_freeze(dict(row)) for row in rows)

    def freezes(self, env: str, since: datetime) -> tuple[Freeze, ...]:
        """All of an environment that were not lifted and do not end before."""
        asked = (
            select(table)
            .where(table.c.env == env, table.c.lifted_at.is_(None), table.c.until > since)
            .order_by(table.c.begins, table.c.id)
        )
        with answered(self._engine), self._engine.connect() as connection:
            return tuple(_freeze(dict(row)) for row in connection.execute(asked).mappings())


def _freeze(row: dict[str, Any]) -> Freeze:
    return Freeze.model_validate({**row, "direction": Direction(row["direction"])})
