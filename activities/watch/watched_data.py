"""The watch's checks of a service's data."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

from activities.targets import DataIntegrity
from activities.watch.timed import OTHERS, Timed
from rollback_manager.metrics.data_checks import DataCheck
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell
from rollback_manager.verification import Answer as Said
from rollback_manager.verification import Verdict

TEST = "data_checks"
COMPARATOR = "what the catalogue expects"
RECENT = 20


class WatchedData:
    """One check, run at its interval; what it said before a release is not that release's doing."""

    def __init__(
        self, check: DataCheck, role: Callable[[], DataIntegrity], threads: Executor = OTHERS
    ) -> None:
        self._name = check.name
        self._runs = Timed(lambda _due_at: role().run(), check.every_s, threads)
        self._recent: deque[tuple[datetime, Verdict]] = deque(maxlen=RECENT)
        self._trouble = ""

    def finding(self, release: Release, at: datetime) -> Finding:
        """One failed run is enough; what cannot be asked is neither well nor broken."""
        news = self._runs.news(at)
        if news is not None:
            self._trouble = news.trouble
            if news.value is not None:
                self._recent.append((news.at, news.value))
        if trouble := self._trouble or self._runs.late(at):
            return cannot_tell(TEST, COMPARATOR, f"{self._name}: {trouble}")
        before = [said for when, said in self._recent if when <= release.recorded_at]
        since = [said for when, said in self._recent if when > release.recorded_at]
        if not since:
            return cannot_tell(TEST, COMPARATOR, f"{self._name}: not run since the release")
        return _judged(before, since[-1])


def _judged(before: list[Verdict], last: Verdict) -> Finding:
    found = cannot_tell(TEST, COMPARATOR, last.because)
    if last.answer is Said.PASSED:
        return found.model_copy(update={"answer": Answer.FINE_SO_FAR})
    if last.answer is not Said.FAILED:
        return found
    if before and before[-1].answer is Said.FAILED:
        because = f"{last.because}; it failed before the release as well"
        return found.model_copy(update={"because": because})
    return found.model_copy(update={"answer": Answer.REGRESSED})
