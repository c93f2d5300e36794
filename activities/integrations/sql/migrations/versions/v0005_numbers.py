"""A reading a minute of what a service's business and traffic come to."""

from alembic import op
from sqlalchemy import Column, DateTime, Float, String

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "numbers",
        Column("env", String(63), primary_key=True),
        Column("service", String(63), primary_key=True),
        Column("name", String(255), primary_key=True),
        Column("minute", DateTime(timezone=True), primary_key=True),
        Column("value", Float, nullable=False),
    )


def downgrade() -> None:
    """Drop it; for three days no number can be compared with former days."""
    op.drop_table("numbers")
