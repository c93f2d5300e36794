"""Records in a database: SQLite on one machine, PostgreSQL where several workers share them.

`engine_for` opens it, `upgrade` brings its tables up to this build, `SqlRecords` plays every
role that a database has but one: `SqlAudit` is the audit chain.
"""

from activities.integrations.sql.audit import SqlAudit
from activities.integrations.sql.engine import engine_for
from activities.integrations.sql.records import SqlRecords
from activities.integrations.sql.schema import upgrade

__all__ = ["SqlAudit", "SqlRecords", "engine_for", "upgrade"]
