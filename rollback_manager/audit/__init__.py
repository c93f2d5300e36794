"""The audit chain: who did what to production, written so that a change afterwards shows.

An `Event` is what happened. Chained and signed it is an `Entry`; `verify` says whether a chain is
as it was written, and names the first entry that is not. An `Anchor` is the head of the chain,
kept where whoever can write the chain cannot write.
"""

from rollback_manager.audit.entries import (
    GENESIS,
    Anchor,
    AuditLog,
    Entry,
    Event,
    anchored,
    as_read,
    as_written,
    chained,
    content_hash,
)
from rollback_manager.audit.keys import AuditKey, NoAuditKey, is_signed
from rollback_manager.audit.proof import Proof, last_before, proven
from rollback_manager.audit.verdict import Fault, Verdict, verify

__all__ = [
    "GENESIS",
    "Anchor",
    "AuditKey",
    "AuditLog",
    "Entry",
    "Event",
    "Fault",
    "NoAuditKey",
    "Proof",
    "Verdict",
    "anchored",
    "as_read",
    "as_written",
    "chained",
    "content_hash",
    "is_signed",
    "last_before",
    "proven",
    "verify",
]
