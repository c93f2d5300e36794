"""A test's evidence until its alarm as one line of bars, for terminals."""

from rollback_manager.rendering.words import clock, duration
from rollback_manager.watch.evidence_trace import EvidenceTrace

BARS = 30
LEVELS = "▁▂▃▄▅▆▇█"
THRESHOLD = "│"
"""Stands before the first bar from which on the evidence was at its threshold."""


def line(trace: EvidenceTrace) -> str:
    """The evidence as bars, the newest last; "" of a trace without points."""
    if not trace.points:
        return ""
    span = f"{duration(round(trace.points[0].ago_s))} until {clock(trace.until)}"
    return f"{bars(trace)}  {span}; {THRESHOLD} threshold"


def bars(trace: EvidenceTrace) -> str:
    """One bar for as many seconds as need be; a full one is the threshold or more."""
    oldest_s = trace.points[0].ago_s
    steps = min(BARS - 1, round(oldest_s))
    moments = [oldest_s * left / (steps or 1) for left in range(steps, -1, -1)]
    reached = trace.reached
    drawn = [(ago_s, LEVELS[_level(_by(trace, ago_s))]) for ago_s in moments]
    before = [bar for ago_s, bar in drawn if reached is None or ago_s > reached.ago_s]
    return "".join([*before, THRESHOLD, *(bar for _, bar in drawn[len(before) :])])


def _by(trace: EvidenceTrace, ago_s: float) -> float:
    """The evidence at a moment: that of the last point before it."""
    oldest = trace.points[0].evidence
    return next((one.evidence for one in reversed(trace.points) if one.ago_s >= ago_s), oldest)


def _level(evidence: float) -> int:
    """A full bar is kept for what is at the threshold."""
    top = len(LEVELS) - 1
    return top if evidence >= 1 else max(0, int(evidence * top))
