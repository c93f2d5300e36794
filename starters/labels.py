"""What somebody says that an incident was, from the words of the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from starters import naming
from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.decision.ledger import Label


class Told(StrEnum):
    """What an incident turned out to be."""

    TRUE = "true"
    FALSE = "false"
    LATE = "late"
    MISSED = "missed"


def label(truth: Told, note: str, trigger: str | None, onset: str | None, by: str | None) -> Label:
    """The label; UsageError where its words do not fit each other."""
    from rollback_manager.decision.ledger import Label, Truth
    from rollback_manager.rendering.layout import foreign

    if trigger and truth is not Told.MISSED:
        raise UsageError(
            f"--trigger names what should have fired, and nothing was missed: {truth}",
            effect=UNCHANGED,
            next_step="Leave --trigger out, or say: missed --trigger KIND",
        )
    return Label(
        truth=Truth(truth),
        by=by or naming.operator(),
        at=datetime.now(UTC),
        trigger=naming.trigger(trigger) if trigger else None,
        onset_at=_moment(onset) if onset else None,
        note=foreign(note),
    )


def _moment(typed: str) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"{typed[:40]!r} is not a time with a zone",
            effect=UNCHANGED,
            next_step="Write it so: --onset 2026-03-02T14:06:00Z",
        )
    return moment
