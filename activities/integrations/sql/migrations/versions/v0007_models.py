"""Trained models of decisions, each with its report, and which of them is asked."""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, String, Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table; no model is in use."""
    op.create_table(
        "models",
        Column("env", String(63), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("in_use", Boolean, nullable=False),
        Column("model", Text, nullable=False),
    )


def downgrade() -> None:
    """Drop it, with all that was trained."""
    op.drop_table("models")
