"""Claims say what was being done, so that somebody else can go on from there."""

from alembic import op
from sqlalchemy import Column, String

revision = "0002"
down_revision = "0001"

PURPOSE = {"from_version": 63, "to_version": 63, "strategy": 63, "digest": 64}


def upgrade() -> None:
    """Add them; a claim of an older build does not say."""
    for name, length in PURPOSE.items():
        op.add_column("claims", Column(name, String(length), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop them."""
    for name in reversed(PURPOSE):
        op.drop_column("claims", name)
