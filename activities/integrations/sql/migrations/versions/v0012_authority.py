"""Break-glass with its review, and which environments were of level secured once."""

from alembic import op
from sqlalchemy import Column, DateTime, Index, String, Text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the tables; no glass is broken, and no environment was secured."""
    op.create_table(
        "glasses",
        Column("rollback", String(255), primary_key=True),
        Column("env", String(63), nullable=False),
        Column("services", Text, nullable=False),
        Column("by", Text, nullable=False),
        Column("incident", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("broken_at", DateTime(timezone=True), nullable=False),
        Column("due_at", DateTime(timezone=True), nullable=False),
        Column("reviewed_at", DateTime(timezone=True)),
        Column("reviewed_by", Text, nullable=False),
        Column("said", Text, nullable=False),
        Index("glasses_by_env", "env", "broken_at"),
    )
    op.create_table(
        "secured",
        Column("env", String(63), primary_key=True),
        Column("since", DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop both, with what people said of broken glass."""
    op.drop_table("secured")
    op.drop_table("glasses")
