"""One release under watch: looks become intervals, intervals become findings."""

from collections import deque
from datetime import datetime, timedelta
from itertools import pairwise

from activities.look import Look
from rollback_manager.alarms import Sighting
from rollback_manager.reading import NoReading, Reading, Snapshot, between, slower_than
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Arm, Finding, Interval, cannot_tell
from rollback_manager.statistics.release_watch import History, ReleaseWatch, together
from rollback_manager.statistics.slow_requests import slow_limit_ms
from rollback_manager.statistics.static import judge_static
from rollback_manager.watching import beside

USUAL_ERRORS = 0.01
"""Of a service that was never measured."""
SIGHT = timedelta(seconds=60)
"""Readings that go with an alarm are over so long at most."""
MINUTE = timedelta(minutes=1)
KEPT_MINUTES = 5


class UnderWatch:
    """Beside a version that has traffic too it is compared; alone it is held to fixed limits."""

    def __init__(self, release: Release, control: Release | None, look: Look) -> None:
        self.release = release
        self.beside = beside(release.version, look.shares.shares)
        self._usual = control.baseline if control else None
        self._looks = deque([look])
        self._minutes: deque[Reading | NoReading] = deque(maxlen=KEPT_MINUTES)
        self._minute_began = look.snapshot
        self._limit_ms = _slow_from(look, self.beside)
        usual = self._usual.error_ratio if self._usual else USUAL_ERRORS
        share = look.shares.shares[release.version] / 100
        compared = bool(self.beside) and 0 < share < 1
        self._watch = ReleaseWatch.begin(History(usual), share) if compared else None
        self.onset_at: datetime | None = None

    def fits(self, release: Release, look: Look) -> bool:
        """Whether it still is this release beside that version."""
        return (release.version, beside(release.version, look.shares.shares)) == (
            self.release.version,
            self.beside,
        )

    def with_more(self, look: Look) -> Finding:
        """The one answer after another look."""
        before = self._looks[-1]
        self._looks.append(look)
        while look.snapshot.taken_at - self._looks[0].snapshot.taken_at > SIGHT:
            self._looks.popleft()
        self._keep_minute(look.snapshot)
        finding = self._finding(before.snapshot, look.snapshot)
        self._note_onset(finding, look)
        return finding

    def _finding(self, before: Snapshot, after: Snapshot) -> Finding:
        if self._watch is None:
            return together([self._by_fixed_limits()])
        interval = self._interval(before, after)
        if interval is None:
            return cannot_tell("counters", self.beside, "the counters started again or stood still")
        self._watch = self._watch.with_more(interval)
        return self._watch.verdict()

    def _by_fixed_limits(self) -> Finding:
        limit = 2 * self._usual.latency_p95_ms if self._usual else None
        return judge_static(tuple(self._minutes), latency_limit_ms=limit)

    def _interval(self, before: Snapshot, after: Snapshot) -> Interval | None:
        arms = [self._arm(name, before, after) for name in (self.release.version, self.beside)]
        if arms[0] is None or arms[1] is None:
            return None
        age = after.taken_at - self.release.recorded_at
        length = after.taken_at - before.taken_at
        return Interval.of(age.total_seconds(), length.total_seconds(), arms[0], arms[1])

    def _arm(self, version: str, before: Snapshot, after: Snapshot) -> Arm | None:
        reading = between(version, before, after)
        if not isinstance(reading, Reading):
            return None
        slow = slower_than(self._limit_ms, version, before, after) if self._limit_ms else None
        slower, timed = slow or (0, 0)
        errors = min(reading.errors, reading.requests)  # one was counted between two reads
        return Arm.of(reading.requests, errors, min(slower, timed), timed)

    def _keep_minute(self, now: Snapshot) -> None:
        if now.taken_at - self._minute_began.taken_at >= MINUTE:
            self._minutes.append(between(self.release.version, self._minute_began, now))
            self._minute_began = now

    def _note_onset(self, finding: Finding, look: Look) -> None:
        """When it began, as far as looks tell: the first errors of the window that is seen."""
        if finding.answer is not Answer.REGRESSED:
            self.onset_at = None
        elif self.onset_at is None:
            self.onset_at = self._first_trouble() or look.snapshot.taken_at

    def _first_trouble(self) -> datetime | None:
        for before, after in pairwise(self._looks):
            reading = between(self.release.version, before.snapshot, after.snapshot)
            if isinstance(reading, Reading) and reading.errors:
                return after.snapshot.taken_at
        return None

    def seen(self, finding: Finding) -> Sighting:
        """What goes with an alarm."""
        first, last = self._looks[0], self._looks[-1]
        old = between(self.beside, first.snapshot, last.snapshot) if self.beside else None
        new = between(self.release.version, first.snapshot, last.snapshot)
        held = finding.test == "common_mode"
        compared = self._watch is not None and finding.answer is Answer.REGRESSED
        return Sighting(
            new=new if isinstance(new, Reading) else None,
            old=old if isinstance(old, Reading) else None,
            traffic_share=last.shares.shares.get(self.release.version, 0) / 100,
            onset_at=self.onset_at,
            common_mode=finding.because if held else "",
            worse_than_old=finding.because if compared else "",
        )


def _slow_from(look: Look, control: str) -> float | None:
    counts = look.snapshot.versions.get(control)
    return slow_limit_ms(counts.latency_ms) if counts else None
