"""What was received already, in SQL: one statement decides who was first."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import insert
from activities.integrations.sql.tables import replays


class SqlReplays:
    """Safe to share between threads and processes; raises Unreachable while there is no answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def first_time(self, key: str, ttl_s: int) -> bool:
        """Whether `key` was not seen in the last `ttl_s` seconds; from now on it was.

        Those that have expired go with the same transaction, so that the table stays small.
        """
        now = datetime.now(UTC)
        row = {"key": key, "expires_at": now + timedelta(seconds=ttl_s)}
        with answered(self._engine), self._writing.begin() as connection:
            connection.execute(delete(replays).where(replays.c.expires_at < now))
            put = insert(connection, replays).values(row).on_conflict_do_nothing()
            kept = connection.execute(
                put.returning(replays.c.key)
            )  # a row count is not told by all
            return kept.first() is not None

    def is_known(self, key: str) -> bool:
        """Whether `key` was seen and has not expired."""
        now = datetime.now(UTC)
        seen = select(replays.c.key).where(replays.c.key == key, replays.c.expires_at >= now)
        with answered(self._engine), self._engine.begin() as connection:
            return connection.execute(seen).first() is not None
