"""Failed requests against the old version beside the new one: its knobs."""

from rollback_manager.statistics.comparator import Margin
from rollback_manager.statistics.envelope import Envelope
from rollback_manager.statistics.evidence import Interval
from rollback_manager.statistics.excess import Counts, Knobs
from rollback_manager.statistics.passing_trouble import Face

KNOBS = Knobs(
    test="error_ratio",
    words="failed",
    margin=Margin(ratio=2.0, least=0.01),
    guard=Margin(ratio=3.0, least=0.02),
    face=Face(ratio=1.0, least=0.05),
    spread=3.45,
    weights=(0.01, 0.04, 0.3, 0.5, 0.1, 0.03, 0.02),
    early_nats=3.2,
    late_nats=9.2,
    least_hits=5,
    relevant=0.085,
    outage=0.25,
)
"""Twice the control is allowed, one point in a hundred always. The evidence for an early alarm may
be small since margin and envelope already forgive more than good releases do. A late regression
that counts is most of the seed's limit of 10 %: noise of one version alone reaches 7 points."""

UNSEEN = Envelope.decaying(first=0.15, time_constant_s=30.0)
"""Without history: half as high again, and half as long, as what releases of world S need."""


def counts(interval: Interval) -> Counts:
    """Failed out of all."""
    new, control = interval.new, interval.control
    return Counts(new.errors, new.requests, control.errors, control.requests)
