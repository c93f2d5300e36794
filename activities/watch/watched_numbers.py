"""The watch's readings of business numbers and throughput, held to floors and to former days."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime

from activities.watch.kept_numbers import FormerDays, KeptNumber, Measure
from activities.watch.numbers import Numbers
from activities.watch.timed import OTHERS, Timed
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.release import Release
from rollback_manager.statistics.business import IN_A_ROW, MINUTES, judge_declared, judge_floor
from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell
from rollback_manager.statistics.release_watch import together

RECENT = 60
MOST_RELEASES = 20
"""Whose readings from before them are kept: one that went back is watched again."""
COMPARATOR = "former days"


class WatchedNumber:
    """One number, read also while nothing is under watch: that is where its season comes from."""

    def __init__(
        self,
        env: str,
        service: str,
        measure: Measure,
        numbers: Numbers,
        threads: Executor = OTHERS,
    ) -> None:
        self._measure = measure
        kept = KeptNumber(env, service, measure, numbers)
        self._readings = Timed(kept.read, measure.every_s, threads)
        self._days = FormerDays(kept, threads)
        self._recent: deque[tuple[datetime, float | None]] = deque(maxlen=RECENT)
        self._before: dict[str, list[float]] = {}
        self._trouble = "not read yet"
        self._of = ""
        self._said: Finding | None = None

    def take(self, at: datetime) -> None:
        """What has been read; begins the next reading where it is due."""
        news = self._readings.news(at)
        if news is None:
            return
        number, self._said = news.value, None
        value = number.value if isinstance(number, Number) else None
        self._trouble = number.because if isinstance(number, NoNumber) else news.trouble
        self._recent.append((news.at, value))
        if value is not None and self._days.minutes is not None:
            self._days.minutes.put(news.at, value)

    def finding(self, release: Release, at: datetime) -> Finding:
        """Of the newest readings; regressed where the floor or the former days say so."""
        self.take(at)
        if self._measure.has_season and self._days.load(release, at):
            self._said = None
        if late := self._readings.late(at):
            return self._cannot_tell(f"it cannot be read: {late}")
        if self._said is None or self._of != release.version:
            self._of, self._said = release.version, self._judged(release)
        return self._said

    def _judged(self, release: Release) -> Finding:
        if self._trouble:
            return self._cannot_tell(f"it cannot be read: {self._trouble}")
        said = [one for one in (self._by_floor(release), self._by_days()) if one is not None]
        told = [one for one in said if one.answer is not Answer.CANNOT_TELL] or said
        found = together(told)
        words = f"{self._measure.label}: {found.because}"
        return found.model_copy(update={"because": words})

    def _by_floor(self, release: Release) -> Finding | None:
        if self._measure.declared is None:
            return None
        since = [one for when, one in self._of_late() if when > release.recorded_at]
        found = judge_declared(self._measure.declared, self._known_before(release), since)
        return found.model_copy(update={"lasted_s": IN_A_ROW * self._measure.every_s})

    def _known_before(self, release: Release) -> list[float]:
        """The last readings before it, the same for as long as it lives: later ones oust none."""
        if release.version in self._before:
            return self._before[release.version]
        at = release.recorded_at
        known = [one for when, one in self._recent if when <= at and one is not None][-IN_A_ROW:]
        if self._recent[-1][0] > at:  # from now on none of them can come
            kept = {**self._before, release.version: known}
            self._before = dict(list(kept.items())[-MOST_RELEASES:])
        return known

    def _of_late(self) -> list[tuple[datetime, float | None]]:
        """Without what was read before a pause: that was not in a row with what came after it."""
        newest = self._recent[-1][0]
        return [one for one in self._recent if self._readings.stands(one[0], newest)]

    def _by_days(self) -> Finding | None:
        if not self._measure.has_season:
            return None
        if self._days.minutes is None:
            return self._cannot_tell(f"former days cannot be read: {self._days.trouble}")
        cut = self._days.minutes.until(self._recent[-1][0])
        if cut is None:
            return self._cannot_tell("only in the day after its first minute it has former days")
        found = judge_floor(self._measure.floor, cut.days, cut.before, cut.watched)
        return found.model_copy(update={"lasted_s": 60.0 * MINUTES})

    def _cannot_tell(self, because: str) -> Finding:
        return cannot_tell(self._measure.floor.name, COMPARATOR, because)


def all_of(findings: Sequence[Finding]) -> Finding:
    """The one answer of several numbers; each that says so is named."""
    said = together(findings)
    same = [one for one in findings if one.answer is said.answer]
    return said.model_copy(update={"because": "; ".join(one.because for one in same)})
