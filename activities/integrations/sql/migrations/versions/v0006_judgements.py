"""One row per judgement of an incident, however often it was tried."""

from alembic import op
from sqlalchemy import Column, DateTime, String, Text

revision = "0006"
down_revision = "0005"

COLUMNS = "decided_at, action, entry, label"


def upgrade() -> None:
    """The judgement takes the moment's place in the key; an older row is one of its own."""
    _made_anew("judgement", Column("judgement", String(64), primary_key=True))
    op.create_index("decisions_newest", "decisions", ["env", "decided_at"])
    op.create_index("decisions_of_incident", "decisions", ["incident", "decided_at"])


def downgrade() -> None:
    """The moment is the key again."""
    op.drop_index("decisions_of_incident", "decisions")
    op.drop_index("decisions_newest", "decisions")
    _made_anew("decided_at")


def _made_anew(key: str, *further: Column[str]) -> None:
    """SQLite cannot change a key in place."""
    op.create_table(
        "decisions_anew",
        Column("env", String(63), primary_key=True),
        Column("service", String(63), primary_key=True),
        Column("incident", String(255), primary_key=True),
        *further,
        Column("decided_at", DateTime(timezone=True), primary_key=not further, nullable=False),
        Column("action", String(16), nullable=False),
        Column("entry", Text, nullable=False),
        Column("label", Text),
    )
    into, out = "env, service, incident, " + COLUMNS, "env, service, incident, " + COLUMNS
    if further:
        into, out = f"{key}, {into}", f"CAST(decided_at AS VARCHAR(64)), {out}"
    op.execute(f"INSERT INTO decisions_anew ({into}) SELECT {out} FROM decisions")  # noqa: S608
    op.drop_table("decisions")
    op.rename_table("decisions_anew", "decisions")
