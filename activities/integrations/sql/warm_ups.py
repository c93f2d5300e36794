"""Warm-ups in SQL."""

from datetime import UTC, datetime

from sqlalchemy import Engine, select

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import put
from activities.integrations.sql.tables import releases, warm_ups
from rollback_manager.release import Standing
from rollback_manager.watch.warm_up import WarmedUp

MOST_KEPT = 1000
"""Releases that an environment learns from, the newest; a megabyte of records."""


class SqlWarmUps:
    """Safe to share between threads; every method raises Unreachable while there is no answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def save_warm_up(self, env: str, seen: WarmedUp) -> None:
        """Keep it; the same version again replaces what was kept."""
        row = {
            "env": env,
            "service": seen.service,
            "version": seen.version,
            "warmed_up_at": datetime.now(UTC),
            "counts": seen.model_dump_json(),
        }
        with answered(self._engine), self._writing.begin() as connection:
            put(connection, warm_ups, row)

    def good_warm_ups(self, env: str) -> list[WarmedUp]:
        """Of releases that are recorded and not known to be bad."""
        key = (releases.c.env == warm_ups.c.env) & (releases.c.service == warm_ups.c.service)
        asked = (
            select(warm_ups.c.counts)
            .join(releases, key & (releases.c.version == warm_ups.c.version))
            .where(warm_ups.c.env == env, releases.c.standing != Standing.BAD.value)
            .order_by(warm_ups.c.warmed_up_at.desc())
            .limit(MOST_KEPT)
        )
        with answered(self._engine), self._engine.connect() as connection:
            return [WarmedUp.model_validate_json(row.counts) for row in connection.execute(asked)]
