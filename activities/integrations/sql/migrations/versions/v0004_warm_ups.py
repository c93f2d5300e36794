"""What good releases did in their first minutes."""

from alembic import op
from sqlalchemy import Column, DateTime, String, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "warm_ups",
        Column("env", String(63), primary_key=True),
        Column("service", String(63), primary_key=True),
        Column("version", String(63), primary_key=True),
        Column("warmed_up_at", DateTime(timezone=True), nullable=False),
        Column("counts", Text, nullable=False),
    )
    op.create_index("warm_ups_newest", "warm_ups", ["env", "warmed_up_at"])


def downgrade() -> None:
    """Drop it; every service is then taken for one that was never seen."""
    op.drop_table("warm_ups")
