"""The tables of the records. What the product filters or sorts by is a column, the rest is JSON."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz in PostgreSQL, text in SQLite, which keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into UTC; ValueError for a time without a zone, whose moment nobody can tell."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware again."""
        if value is None or value.tzinfo is None:
            return value and value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


metadata = MetaData()

releases = Table(
    "releases",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("version", String(63), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("recorded_at", Utc, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("standing", String(16), nullable=False),
    Column("because", Text, nullable=False),
    Column("restore_point", Text),
    Column("baseline", Text),
)

epochs = Table(
    "epochs",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("epoch", Integer, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("rollback", String(255), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("claimed_at", Utc, nullable=False),
    Column("from_version", String(63), nullable=False, server_default=""),
    Column("to_version", String(63), nullable=False, server_default=""),
    Column("strategy", String(63), nullable=False, server_default=""),
    Column("digest", String(64), nullable=False, server_default=""),
)
"""One row per rollback and service that has not closed. It outlives a terminated workflow: a row
without a running one is an orphan, for a person to adopt."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("rollback", String(255), primary_key=True),
    Column("strategy", String(63), nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("traffic_back_s", Float),
    Column("verified_s", Float),
    Column("finished_at", Utc, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("outcomes_newest", "env", "service", "finished_at"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("incident", String(255), primary_key=True),
    Column("judgement", String(64), primary_key=True),
    Column("decided_at", Utc, nullable=False),
    Column("action", String(16), nullable=False),
    Column("entry", Text, nullable=False),
    Column("label", Text),
    Index("decisions_newest", "env", "decided_at"),
    Index("decisions_of_incident", "incident", "decided_at"),
)
"""One row per judgement: tried again, it replaces its own. A person adds the label later."""

models = Table(
    "models",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("in_use", Boolean, nullable=False),
    Column("model", Text, nullable=False),
)
"""Append-only but for `in_use`, which holds for one of an environment at most."""

warm_ups = Table(
    "warm_ups",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("version", String(63), primary_key=True),
    Column("warmed_up_at", Utc, nullable=False),
    Column("counts", Text, nullable=False),
    Index("warm_ups_newest", "env", "warmed_up_at"),
)

numbers = Table(
    "numbers",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("minute", Utc, primary_key=True),
    Column("value", Float, nullable=False),
)
"""A reading a minute of each number, of the last days alone."""

frozen = Table(
    "frozen",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("service", String(63), primary_key=True),
    Column("digest", String(71), primary_key=True),
    Column("version", String(63), nullable=False),
    Column("kept_at", Utc, nullable=False),
    Column("content", Text, nullable=False),
)
"""What a release was when it was recorded, by the digest of its content: written once."""

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("actor", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("decision_jws", Text, nullable=False),
    Column("evidence_hash", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("ts_server", Text, nullable=False),
    Column("ts_source", Text),
    Column("key_id", Text, nullable=False),
    Column("sig", Text, nullable=False),
    Index("audit_object", "object", "seq"),
)
"""The audit chain. Times are texts, for the very text is hashed. Triggers keep rows from being
changed or taken away (migration 0009)."""
glasses = Table(
    "glasses",
    metadata,
    Column("rollback", String(255), primary_key=True),
    Column("env", String(63), nullable=False),
    Column("services", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("broken_at", Utc, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("reviewed_at", Utc),
    Column("reviewed_by", Text, nullable=False),
    Column("said", Text, nullable=False),
    Index("glasses_by_env", "env", "broken_at"),
)
secured = Table(
    "secured",
    metadata,
    Column("env", String(63), primary_key=True),
    Column("since", Utc, nullable=False),
)
"""Environments that were of level secured: one that is found local later is not taken as it is."""
freezes = Table(
    "freezes",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("env", String(63), nullable=False),
    Column("service", String(63), nullable=False),
    Column("begins", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("direction", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("said_at", Utc, nullable=False),
    Column("lifted_at", Utc),
    Column("lifted_by", Text, nullable=False),
    Index("freezes_to_come", "env", "until"),
)
"""None is deleted: one that was lifted says when and by whom."""
replays = Table(
    "replays",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("expires_at", Utc, nullable=False),
    Index("replays_expired", "expires_at"),
)
"""What a door has received already; each is forgotten when its signature would be too old."""
