"""The audit chain: rows are added, and never changed or taken away.

The triggers stop accidents and a careless statement. Whoever owns the table can drop them: in
PostgreSQL let the product connect as a role that does not (docs/audit.md); and what is changed all
the same shows against the anchors.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Index, Text

revision = "0009"
down_revision = "0008"

TEXTS = (
    "actor",
    "subject",
    "action",
    "object",
    "plan_digest",
    "decision_jws",
    "evidence_hash",
    "outcome",
)
SAID = "audit entries are never changed or taken away"


def upgrade() -> None:
    """Create the table, empty, with what guards it."""
    op.create_table(
        "audit",
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("prev_hash", Text, nullable=False),
        Column("hash", Text, nullable=False),
        Column("event_id", Text, nullable=False, unique=True),
        *(Column(name, Text, nullable=False) for name in TEXTS),
        Column("ts_server", Text, nullable=False),
        Column("ts_source", Text),
        Column("key_id", Text, nullable=False),
        Column("sig", Text, nullable=False),
        Index("audit_object", "object", "seq"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit"
                f" BEGIN SELECT RAISE(ABORT, '{SAID}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{SAID}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
    )


def downgrade() -> None:
    """Drop it, with the whole chain."""
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_kept()")
