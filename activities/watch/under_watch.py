"""One release under watch: looks become intervals, intervals become findings."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from activities.counted import MOST_UNSEEN
from rollback_manager.incidents.alarms import Sighting
from rollback_manager.metrics.reading import NoReading, Reading, Snapshot, between, slower_than
from rollback_manager.release import Baseline, Release
from rollback_manager.statistics.evidence import Answer, Arm, Finding, Interval, cannot_tell
from rollback_manager.statistics.imported.findings import Judging, in_words
from rollback_manager.statistics.release_watch import History, ReleaseWatch, together
from rollback_manager.statistics.rows import row
from rollback_manager.statistics.slow_requests import slow_limit_ms
from rollback_manager.statistics.static import judge_static
from rollback_manager.watch.detected import ERRORS, SLOWNESS, worse_than_old
from rollback_manager.watch.evidence_recorder import EvidenceRecorder
from rollback_manager.watch.judges import Judge
from rollback_manager.watch.watching import beside

SIGHT = timedelta(seconds=60)
"""Readings that go with an alarm are over so long at most."""
LEAST_SIGHT = timedelta(seconds=5)
"""And at least over so long: a second's P95 says little."""
MINUTE = timedelta(minutes=1)
KEPT_MINUTES = 5


@dataclass(frozen=True)
class TrafficLook:
    """A service's traffic at one moment.

    most_unseen: after a longer gap what was suspected before it is forgotten, for a trouble that
    came and went unseen must not count as one that has stood for so long.
    """

    shares: dict[str, int]
    snapshot: Snapshot
    most_unseen: timedelta = MOST_UNSEEN


class Told(NamedTuple):
    """The one answer, and that of each test; those of no test where nothing could be counted.

    advice: what imported judges say that may not alarm.
    """

    verdict: Finding
    tests: tuple[Finding, ...] = ()
    advice: str = ""


class Due(NamedTuple):
    """One more interval of a comparison, to be judged beside those of other releases."""

    watch: ReleaseWatch
    interval: Interval


class UnderWatch:
    """Beside a version that has traffic too it is compared; alone it is held to fixed limits."""

    def __init__(
        self,
        release: Release,
        usual: Baseline | None,
        history: History,
        since: datetime,
        look: TrafficLook,
        judges: Sequence[Judge] = (),
    ) -> None:
        """since: when it met its first users, as far as that is known."""
        self.release = release
        self.usual = usual
        self.beside = beside(release.version, look.shares)
        self._since = since
        self._looks = deque([look])
        self._recorder = EvidenceRecorder(release.version, self.beside)
        self._minutes: deque[Reading | NoReading] = deque(maxlen=KEPT_MINUTES)
        self._minute_began = look.snapshot
        self._limit_ms = _slow_from(look, self.beside)
        self._share = self._share_in(look)
        compared = bool(self.beside) and 0 < self._share < 1
        self._watch = ReleaseWatch.begin(history, self._share) if compared else None
        self._held = False
        self._counted = self._interval(look.snapshot, look.snapshot)
        self._judging = Judging(judges, int((look.snapshot.taken_at - since) / MINUTE))
        self._last_told = Told(cannot_tell("counters", self.beside, "nothing is counted yet"))

    def fits(self, release: Release, look: TrafficLook) -> bool:
        """Whether it still is this release beside that version, and was looked at just now."""
        same = (release.version, beside(release.version, look.shares)) == (
            self.release.version,
            self.beside,
        )
        return same and _apart(self._looks[-1], look) <= look.most_unseen

    def take(self, look: TrafficLook) -> Due | Told:
        """Another look: what is to be judged, then `settled`; or said at once.

        While its counters are no newer it says what it said.
        """
        before = self._looks[-1].snapshot
        if _same_moment(before, look.snapshot):
            return self._last_told
        if not self._counted_on(before, look.snapshot):
            self._begin_anew(look)
            told = Told(cannot_tell("counters", self.beside, "they started again or stood still"))
            self._last_told = told
            return told
        self._looks.append(look)
        while len(self._looks) > 2 and _apart(self._looks[0], look) > SIGHT:
            self._looks.popleft()
        self._keep_minute(look.snapshot)
        if self._limit_ms is None:  # nothing was timed when it began
            self._limit_ms = _slow_from(look, self.beside)
        self._counted = self._interval(before, look.snapshot)
        return self._alone() if self._watch is None else self._due(self._watch, look)

    def settled(self, judged: ReleaseWatch, place: int) -> Told:
        """What is to be said after the last look; this release is at that place of `judged`."""
        self._watch = row(judged, place)
        self._held = bool(judged.common_mode[place])
        tests = judged.findings(place)
        verdict = judged.verdict_of(tests, place)
        if self._held:  # then none of them speaks against the release
            held = {"answer": Answer.CANNOT_TELL, "because": verdict.because}
            tests = tuple(one.model_copy(update=held) for one in tests)
        return self._told(verdict, tests)

    def go_blind(self) -> None:
        """Nothing is counted any more: what was read last says nothing of now."""
        self._held = False
        self._looks = deque([self._looks[-1]])

    def seen(self, finding: Finding) -> Sighting:
        """What goes with an alarm: readings of the time since it began."""
        onset_at = self._onset(finding)
        first, last = self._look_before(onset_at).snapshot, self._looks[-1].snapshot
        old = between(self.beside, first, last) if self.beside else None
        new = between(self.release.version, first, last)
        return Sighting(
            new=new if isinstance(new, Reading) else None,
            old=old if isinstance(old, Reading) else None,
            traffic_share=self._share_in(self._looks[-1]),
            onset_at=onset_at,
            common_mode=self._common_mode(),
            worse_than_old=worse_than_old(finding),
            trace=self._recorder.trace(finding),
        )

    def _share_in(self, look: TrafficLook) -> float:
        return look.shares.get(self.release.version, 0) / 100

    def _counted_on(self, before: Snapshot, after: Snapshot) -> bool:
        names = (self.release.version, self.beside) if self.beside else (self.release.version,)
        return all(isinstance(between(name, before, after), Reading) for name in names)

    def _begin_anew(self, look: TrafficLook) -> None:
        """No window reaches over a restart of the proxy; what the tests have learnt stays."""
        self._looks = deque([look])
        self._minute_began = look.snapshot

    def _due(self, watch: ReleaseWatch, look: TrafficLook) -> Due:
        if self._share_in(look) != self._share:
            self._share = self._share_in(look)
            watch = watch.with_share(self._share)
        return Due(watch, self._counted)

    def _told(self, verdict: Finding, tests: Sequence[Finding]) -> Told:
        self._recorder.look(self._looks[-1].snapshot.taken_at, tests, self._counted)
        heard = self._judging.heard(self._common_mode())
        worse = [one for one in heard.alarming if one.answer is Answer.REGRESSED]
        verdict = together((verdict, *worse)) if worse else verdict
        self._last_told = Told(verdict, (*tests, *heard.alarming), in_words(heard.advising))
        return self._last_told

    def _common_mode(self) -> str:
        return "the old version got worse too: not the release, hold" if self._held else ""

    def _alone(self) -> Told:
        """Errors and slowness apart: they are different triggers, with different sizes."""
        minutes = tuple(self._minutes)
        tests = [judge_static(minutes).model_copy(update={"test": ERRORS})]
        if self.usual and self.usual.latency_p95_ms:
            slow = judge_static(
                minutes, error_limit=1.0, latency_limit_ms=2 * self.usual.latency_p95_ms
            )
            tests.append(slow.model_copy(update={"test": SLOWNESS}))
        return self._told(together(tests), tests)

    def _interval(self, before: Snapshot, after: Snapshot) -> Interval:
        age = after.taken_at - self._since
        length = after.taken_at - before.taken_at
        new, old = (self._arm(one, before, after) for one in (self.release.version, self.beside))
        return Interval.of(age.total_seconds(), length.total_seconds(), new, old)

    def _arm(self, version: str, before: Snapshot, after: Snapshot) -> Arm:
        reading = between(version, before, after)
        if not isinstance(reading, Reading):  # `_counted_on` has seen to that
            return Arm.of(0, 0)
        slow = slower_than(self._limit_ms, version, before, after) if self._limit_ms else None
        slower, timed = slow or (0, 0)
        errors = min(reading.errors, reading.requests)  # one was counted between two reads
        return Arm.of(reading.requests, errors, min(slower, timed), timed)

    def _keep_minute(self, now: Snapshot) -> None:
        if now.taken_at - self._minute_began.taken_at >= MINUTE:
            began, self._minute_began = self._minute_began, now
            new = between(self.release.version, began, now)
            self._minutes.append(new)
            self._judging.take(new, between(self.beside, began, now) if self.beside else None)

    def _onset(self, finding: Finding) -> datetime | None:
        """When it began, as far as the test can tell; not before the release met users."""
        if finding.answer is not Answer.REGRESSED:
            return None
        lasted = timedelta(seconds=finding.lasted_s or 0.0)
        return max(self._since, self._looks[-1].snapshot.taken_at - lasted)

    def _look_before(self, onset_at: datetime | None) -> TrafficLook:
        """The newest one that has all of the trouble after it; the oldest where there is none."""
        if onset_at is None:
            return self._looks[0]
        from_at = min(onset_at, self._looks[-1].snapshot.taken_at - LEAST_SIGHT)
        before = [one for one in self._looks if one.snapshot.taken_at <= from_at]
        return before[-1] if before else self._looks[0]


def _apart(first: TrafficLook, last: TrafficLook) -> timedelta:
    return last.snapshot.taken_at - first.snapshot.taken_at


def _same_moment(one: Snapshot, other: Snapshot) -> bool:
    return (one.taken_at, one.counted_by) == (other.taken_at, other.counted_by)


def _slow_from(look: TrafficLook, control: str) -> float | None:
    counts = look.snapshot.versions.get(control)
    return slow_limit_ms(counts.latency_ms) if counts else None
