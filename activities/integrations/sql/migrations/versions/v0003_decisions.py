"""Every decision about an incident, with all that it was made from."""

from alembic import op
from sqlalchemy import Column, DateTime, String, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "decisions",
        Column("env", String(63), primary_key=True),
        Column("service", String(63), primary_key=True),
        Column("incident", String(255), primary_key=True),
        Column("decided_at", DateTime(timezone=True), primary_key=True),
        Column("action", String(16), nullable=False),
        Column("entry", Text, nullable=False),
        Column("label", Text),
    )


def downgrade() -> None:
    """Drop it, with all that was decided."""
    op.drop_table("decisions")
