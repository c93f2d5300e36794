"""What was frozen of releases that live in a cluster, by the digest of its content."""

from alembic import op
from sqlalchemy import Column, DateTime, String, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table; releases that were recorded before have nothing in it."""
    op.create_table(
        "frozen",
        Column("env", String(63), primary_key=True),
        Column("service", String(63), primary_key=True),
        Column("digest", String(71), primary_key=True),
        Column("version", String(63), nullable=False),
        Column("kept_at", DateTime(timezone=True), nullable=False),
        Column("content", Text, nullable=False),
    )


def downgrade() -> None:
    """Drop it, with all that was frozen."""
    op.drop_table("frozen")
