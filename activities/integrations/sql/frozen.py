"""Frozen releases in SQL."""

from datetime import UTC, datetime

from sqlalchemy import Engine, select

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import insert
from activities.integrations.sql.tables import frozen as table
from rollback_manager.frozen import Frozen


class SqlFrozen:
    """Safe to share between threads; every method raises Unreachable while there is no answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def keep_frozen(self, env: str, service: str, frozen: Frozen) -> str:
        """Keep it under its digest; what is there already stays as it is."""
        row = {
            "env": env,
            "service": service,
            "digest": frozen.digest,
            "version": frozen.version,
            "kept_at": datetime.now(UTC),
            "content": frozen.model_dump_json(exclude_defaults=True),
        }
        with answered(self._engine), self._writing.begin() as connection:
            connection.execute(insert(connection, table).values(row).on_conflict_do_nothing())
        return frozen.digest

    def frozen(self, env: str, service: str, digest: str) -> Frozen | None:
        """What has that digest; None where nothing is kept of it."""
        mine = (table.c.env == env) & (table.c.service == service) & (table.c.digest == digest)
        with answered(self._engine), self._engine.connect() as connection:
            kept = connection.execute(select(table.c.content).where(mine)).scalar()
        return Frozen.model_validate_json(kept) if kept else None
