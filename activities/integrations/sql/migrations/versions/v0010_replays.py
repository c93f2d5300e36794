"""What doors have received already, so that nothing signed counts twice."""

from alembic import op
from sqlalchemy import Column, DateTime, String

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table; what was received before this build is not in it."""
    op.create_table(
        "replays",
        Column("key", String(255), primary_key=True),
        Column("expires_at", DateTime(timezone=True), nullable=False),
    )
    op.create_index("replays_expired", "replays", ["expires_at"])


def downgrade() -> None:
    """Drop it: requests of the last ten minutes may be replayed then."""
    op.drop_table("replays")
