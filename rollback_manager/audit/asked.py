"""What is asked of the audit chain, and the answer: small enough for Temporal's history."""

from typing import Annotated, Literal

from pydantic import Field

from rollback_manager.audit.entries import Anchor, Entry
from rollback_manager.audit.proof import Proof
from rollback_manager.audit.verdict import Verdict
from rollback_manager.values import Count, Value

MOST_SHOWN = 500
PAGE_BYTES = 1_000_000
"""Of one answer; Temporal takes 2 MB."""


class ShowEntries(Value):
    """The newest entries. about: of this rollback alone; empty: of everything."""

    verb: Literal["show"] = "show"
    about: str = ""
    limit: Annotated[int, Field(ge=1, le=MOST_SHOWN)] = 50


class VerifyChain(Value):
    """Whether the whole chain is as it was written. keys: ids that may sign; none: the anchors'."""

    verb: Literal["verify"] = "verify"
    keys: tuple[str, ...] = ()


class ExportPage(Value):
    """The next entries and anchors, the oldest first. after, anchors_after: how many are had."""

    verb: Literal["export"] = "export"
    after: Count = 0
    anchors_after: Count = 0


class ProveRollback(Value):
    """What the chain says of one rollback, and whether it holds."""

    verb: Literal["prove"] = "prove"
    rollback: str


class AuditRequest(Value):
    """One thing to ask."""

    ask: Annotated[
        ShowEntries | VerifyChain | ExportPage | ProveRollback, Field(discriminator="verb")
    ]


class Answer(Value):
    """Of these only what was asked for. more: there are further pages."""

    entries: tuple[Entry, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    more: bool = False
    verdict: Verdict | None = None
    proof: Proof | None = None
