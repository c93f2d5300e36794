"""Freezes that people said: when nothing may be deployed, and who ended one before its time."""

from alembic import op
from sqlalchemy import Column, DateTime, Index, String, Text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the table; nothing is frozen."""
    op.create_table(
        "freezes",
        Column("id", String(63), primary_key=True),
        Column("env", String(63), nullable=False),
        Column("service", String(63), nullable=False),
        Column("begins", DateTime(timezone=True), nullable=False),
        Column("until", DateTime(timezone=True), nullable=False),
        Column("direction", String(16), nullable=False),
        Column("reason", Text, nullable=False),
        Column("by", Text, nullable=False),
        Column("said_at", DateTime(timezone=True), nullable=False),
        Column("lifted_at", DateTime(timezone=True)),
        Column("lifted_by", Text, nullable=False),
        Index("freezes_to_come", "env", "until"),
    )


def downgrade() -> None:
    """Drop it, with every freeze that was said."""
    op.drop_table("freezes")
