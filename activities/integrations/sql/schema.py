"""The tables brought up to this build, by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine, text

from activities.integrations.sql.engine import LONGEST_TEXT, answered
from rollback_manager.errors import PermanentError

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 7_655_225_016
"""Of PostgreSQL's advisory locks; the letters "rollb" on a telephone. Any fixed number will do."""
MIGRATION_S = 60


def upgrade(engine: Engine) -> None:
    """Create or upgrade the tables in one transaction; two processes at once take turns.

    Raises:
        PermanentError: a newer build made these tables.
        Unreachable: the database does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with answered(engine), engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":  # SQLite's transaction is the lock already
            for limit in ("lock_timeout", "statement_timeout"):
                connection.execute(text(f"SET LOCAL {limit} = '{MIGRATION_S}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise PermanentError(
                f"the tables of the records cannot be upgraded: {str(error)[:LONGEST_TEXT]}",
                effect="Nothing was changed.",
                next_step="They may be of a newer build: start that one, or restore its backup.",
            ) from error
