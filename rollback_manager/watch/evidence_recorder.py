"""Keeps what a release's tests saw, look by look, for the alarm that may come of it. Pure.

Needs numpy, which the base install has not.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from rollback_manager.statistics.evidence import Amounts, Answer, Arm, Finding, Interval
from rollback_manager.watch.detected import COMPARING, ERRORS, SLOWNESS
from rollback_manager.watch.evidence_trace import EvidenceTrace, Measure, Tally, TracePoint

KEPT_S = 300.0
MOST = 60
"""Points of one release: some 5 KB with an alarm, some 30 KB in a watch's memory."""
FINE_S = 30.0
"""Looks are put together to points that are the longer the older they are; so far back they are
twice as long as the newest."""
MEASURES = {
    "error_ratio": Measure.FAILED,
    ERRORS: Measure.FAILED,
    "latency_p95": Measure.SLOW,
    SLOWNESS: Measure.SLOW,
}
"""What the tests count that can blame a release by its requests."""


class _Look(NamedTuple):
    """Evidence ÷ threshold of each test at a moment; the counts since the look before.

    at_s: of the clock, and no `datetime`: every look is compared with all of the last minutes.
    """

    at_s: float
    evidence: dict[str, float]
    counts: dict[Measure, tuple[Tally, Tally]]

    def then(self, later: "_Look") -> "_Look":
        """Both as one."""
        both = {
            measure: (new.plus(later.counts[measure][0]), old.plus(later.counts[measure][1]))
            for measure, (new, old) in self.counts.items()
        }
        return _Look(later.at_s, later.evidence, both)


class EvidenceRecorder:
    """The last minutes of one release beside one version."""

    def __init__(self, new: str, old: str) -> None:
        self._new, self._old = new, old
        self._looks: list[_Look] = []
        self._until: datetime | None = None

    def look(self, at: datetime, tests: Iterable[Finding], seen: Interval) -> None:
        """With one more look: what the tests say after it, and what was counted since the last."""
        counts = {
            Measure.FAILED: (_failed(seen.new), _failed(seen.control)),
            Measure.SLOW: (_slow(seen.new), _slow(seen.control)),
        }
        evidence = {one.test: _of_threshold(one) for one in tests if one.test in MEASURES}
        now = _Look(at.timestamp(), evidence, counts)
        # A clock that was put back leaves looks of a time that has not come yet: they go.
        looks = self._looks = [one for one in self._looks if one.at_s < now.at_s] + [now]
        self._until = at
        while looks[0].at_s < looks[-1].at_s - KEPT_S:
            del looks[0]
        if len(looks) > MOST:
            place = _shortest(looks)
            looks[place : place + 2] = [looks[place].then(looks[place + 1])]

    def trace(self, finding: Finding) -> EvidenceTrace:
        """Up to the last look, of the test that has just found this; empty while it is silent."""
        measure = MEASURES.get(finding.test)
        known = [look for look in self._looks if finding.test in look.evidence]
        if measure is None or not known or finding.answer is not Answer.REGRESSED:
            return EvidenceTrace()
        return EvidenceTrace(
            test=finding.test,
            measure=measure,
            new=self._new,
            old=self._old,
            until=self._until,
            evidence=round(finding.evidence_nats, 2),
            threshold=finding.threshold_nats,
            unit="nats" if finding.test in COMPARING else "bad minutes",
            points=tuple(_point(look, known[-1].at_s, finding.test, measure) for look in known),
        )


def _shortest(looks: list[_Look]) -> int:
    """The first of the two neighbours that are together the shortest for their age."""
    times = [look.at_s for look in looks]
    now_s = times[-1] + FINE_S
    triples = zip(times, times[1:], times[2:], strict=False)
    lengths = [(after - before) / (now_s - at) for before, at, after in triples]
    return 1 + lengths.index(min(lengths))


def _point(look: _Look, until_s: float, test: str, measure: Measure) -> TracePoint:
    new, old = look.counts[measure]
    return TracePoint(
        ago_s=round(until_s - look.at_s, 1),
        evidence=round(look.evidence[test], 3),
        new=new,
        old=old,
    )


def _of_threshold(finding: Finding) -> float:
    """The larger of what counts, and of what is suspected and must stand before it counts."""
    limit = finding.threshold_nats
    return max(finding.evidence_nats / limit if limit > 0 else 0.0, finding.suspected)


def _failed(arm: Arm) -> Tally:
    return Tally(_number(arm.errors), _number(arm.requests))


def _slow(arm: Arm) -> Tally:
    return Tally(_number(arm.slow), _number(arm.timed))


def _number(amounts: Amounts) -> int:
    return round(float(amounts[0]))
