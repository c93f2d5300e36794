"""Evidence that rises for half a minute and then speaks, for tests of those who show it."""

from datetime import datetime
from typing import Any

from rollback_manager.watch.evidence_trace import EvidenceTrace, Measure, Tally, TracePoint


def trace(until: datetime, *evidence: float, **changes: Any) -> EvidenceTrace:
    """A point each second; from a fifth of the threshold on, 12 of 100 requests of v2 fail."""
    seen = evidence or (*[0.0] * 20, 0.2, 0.4, 0.3, 0.6, 0.8, 1.1)
    points = tuple(
        TracePoint(
            ago_s=len(seen) - 1 - place,
            evidence=value,
            new=Tally(12 if value >= 0.2 else 1, 100),
            old=Tally(1, 100),
        )
        for place, value in enumerate(seen)
    )
    made = EvidenceTrace(
        test="error_ratio",
        measure=Measure.FAILED,
        new="v2",
        old="v1",
        until=until,
        evidence=3.85,
        threshold=3.5,
        unit="nats",
        points=points,
    )
    return made.model_copy(update=changes)
