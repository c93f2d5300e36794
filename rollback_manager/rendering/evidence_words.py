"""A test's evidence until its alarm, in sentences and as a table."""

from collections.abc import Iterator

from rollback_manager.rendering import evidence_line
from rollback_manager.rendering.picture import Answers, Run, ratios
from rollback_manager.rendering.report_parts import Section, Table
from rollback_manager.rendering.words import UNKNOWN, clock, duration, percent
from rollback_manager.watch.evidence_trace import EvidenceTrace, Tally, TracePoint, fewer

EVIDENCE = "Evidence until the alarm"
"""The section that pages with pictures draw."""
ROWS = 12
"""Of a table: it is read, the picture is looked at."""
AT_ONCE_S = 2.0
"""Evidence that is looked at once a second speaks within so long, unless it has to wait."""


def section(trace: EvidenceTrace) -> Iterator[Section]:
    """Of a report; none of a rollback that no test's alarm is behind."""
    if trace.points:
        table = Table("Evidence, and what both versions did", head(trace), tuple(rows(trace)))
        lines = (evidence_line.line(trace), *in_words(trace))
        yield Section(EVIDENCE, lines, (table,))


def in_words(trace: EvidenceTrace) -> Iterator[str]:
    """What the picture shows, in sentences; nothing of a trace without points."""
    if not trace.points:
        return
    beside = f"{trace.new} beside {trace.old}" if trace.old else f"{trace.new} by a fixed limit"
    yield (
        f"The test {trace.test} of {beside} gave the alarm at {clock(trace.until)}, "
        f"with {trace.evidence:g} of {trace.threshold:g} {trace.unit}. "
        f"{_reached(trace)} "
        f"{trace.measure.capitalize()}, highest: {_highest(trace)}."
    )


def waited(trace: EvidenceTrace) -> bool:
    """Whether the evidence was at its threshold well before it counted."""
    return trace.reached is not None and trace.reached.ago_s > AT_ONCE_S


def head(trace: EvidenceTrace) -> tuple[str, ...]:
    """Of the table. The evidence is a multiple of its threshold."""
    versions = [trace.new, trace.old] if trace.old else [trace.new]
    return "UTC", "evidence ÷ threshold", *(f"{trace.measure} of {name}" for name in versions)


def rows(trace: EvidenceTrace) -> Iterator[tuple[str, ...]]:
    """Of the table, each with what was counted since the row before."""
    for point in fewer(trace.points, ROWS):
        counts = [point.new, point.old] if trace.old else [point.new]
        yield clock(trace.at(point)), _short_of(point.evidence), *map(_tally, counts)


def _short_of(evidence: float) -> str:
    """Two digits, never rounded up: what is just below the threshold has not reached it."""
    return f"{round(evidence * 1000) // 10 / 100:.2f}"


def run_of(trace: EvidenceTrace, version: str) -> Run:
    """What the test counts of a version ÷ all of its own, each value resting on enough of them."""
    counts = ((trace.at(point), _of(trace, point, version)) for point in trace.points)
    return ratios(Answers(at, one.tries, one.hits) for at, one in counts if one.tries)


def _of(trace: EvidenceTrace, point: TracePoint, version: str) -> Tally:
    return point.new if version == trace.new else point.old


def _reached(trace: EvidenceTrace) -> str:
    point = trace.reached
    if point is None:
        return "When the evidence reached its threshold is unknown."
    if point is trace.points[0]:
        return f"The evidence stood at its threshold for {duration(point.ago_s)} at least."
    if not waited(trace):
        return f"The evidence reached its threshold at {clock(trace.at(point))}."
    return (
        f"The evidence reached its threshold at {clock(trace.at(point))} and had to stand "
        f"for {duration(point.ago_s)} first, because trouble may pass."
    )


def _highest(trace: EvidenceTrace) -> str:
    versions = [trace.new, trace.old] if trace.old else [trace.new]
    told = []
    for version in versions:
        run = run_of(trace, version)
        highest = percent(max(value.y for value in run)) if run else UNKNOWN
        told.append(f"{highest} of {version}'s")
    return ", ".join(told)


def _tally(one: Tally) -> str:
    if not one.tries:
        return UNKNOWN
    return f"{one.hits} of {one.tries} ({percent(one.hits / one.tries)})"
