"""The first tables: releases, epochs, claims, outcomes."""

from alembic import op
from sqlalchemy import Boolean, Column, DateTime, Float, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "releases",
        *_key("version", 63),
        Column("digest", Text, nullable=False),
        Column("recorded_at", DateTime(timezone=True), nullable=False),
        Column("recorded_by", Text, nullable=False),
        Column("standing", String(16), nullable=False),
        Column("because", Text, nullable=False),
        Column("restore_point", Text),
        Column("baseline", Text),
    )
    op.create_table("epochs", *_key(), Column("epoch", Integer, nullable=False))
    op.create_table(
        "claims",
        *_key("rollback", 255),
        Column("epoch", Integer, nullable=False),
        Column("claimed_at", DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "outcomes",
        *_key("rollback", 255),
        Column("strategy", String(63), nullable=False),
        Column("verified", Boolean, nullable=False),
        Column("traffic_back_s", Float),
        Column("verified_s", Float),
        Column("finished_at", DateTime(timezone=True), nullable=False),
        Column("outcome", Text, nullable=False),
    )
    op.create_index("outcomes_newest", "outcomes", ["env", "service", "finished_at"])


def downgrade() -> None:
    """Drop them, with all that was recorded."""
    for table in ("outcomes", "claims", "epochs", "releases"):
        op.drop_table(table)


def _key(name: str = "", length: int = 0) -> list[Column[str]]:
    last = [Column(name, String(length), primary_key=True)] if name else []
    return [
        Column("env", String(63), primary_key=True),
        Column("service", String(63), primary_key=True),
        *last,
    ]
