"""Numbers of former days in SQL."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, delete, select

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import put
from activities.integrations.sql.tables import numbers


class SqlNumbers:
    """Safe to share between threads; every method raises Unreachable while there is no answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def keep_numbers(
        self, env: str, service: str, name: str, readings: Mapping[datetime, float], since: datetime
    ) -> None:
        """Keep them by their minutes, and forget what is older than `since`, in one transaction."""
        key = {"env": env, "service": service, "name": name}
        with answered(self._engine), self._writing.begin() as connection:
            for minute, value in readings.items():
                put(connection, numbers, {**key, "minute": minute, "value": value})
            old = delete(numbers).where(*_of(**key), numbers.c.minute < since)
            connection.execute(old)

    def numbers(self, env: str, service: str, name: str, since: datetime) -> dict[datetime, float]:
        """Minute → reading, the oldest first."""
        asked = (
            select(numbers.c.minute, numbers.c.value)
            .where(*_of(env, service, name), numbers.c.minute >= since)
            .order_by(numbers.c.minute)
        )
        with answered(self._engine), self._engine.connect() as connection:
            return {row.minute: row.value for row in connection.execute(asked)}


def _of(env: str, service: str, name: str) -> list[ColumnElement[bool]]:
    return [numbers.c.env == env, numbers.c.service == service, numbers.c.name == name]
