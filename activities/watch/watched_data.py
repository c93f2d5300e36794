"""The watch's checks of a service's data."""

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


class WatchedData:
    """One check, run at its interval; what it said before a release is not that release's doing.

    It runs also while nothing is under watch: how it was before a release is known from there.
    """

    def __init__(
        self, check: DataCheck, role: Callable[[], DataIntegrity], threads: Executor = OTHERS
    ) -> None:
        self._name = check.name
        self._runs = Timed(lambda _due_at: role().run(), check.every_s, threads)
        self._last: tuple[datetime, Verdict] | None = None
        self._failing_since: datetime | None = None
        self._passed_once = False
        self._trouble = ""

    def take(self, at: datetime) -> None:
        """What it came to; begins the next run where it is due."""
        news = self._runs.news(at)
        if news is None:
            return
        self._trouble = news.trouble
        if news.value is not None:
            self._last = news.at, news.value
            self._note(news.value.answer, news.at)

    def _note(self, answer: Said, at: datetime) -> None:
        """Since when it fails outlasts any number of runs; a run without an answer ends nothing."""
        if answer is Said.PASSED:
            self._passed_once, self._failing_since = True, None
        elif answer is Said.FAILED:
            self._failing_since = self._failing_since or at

    def finding(self, release: Release, at: datetime) -> Finding:
        """One failed run is enough; what cannot be asked is neither well nor broken."""
        self.take(at)
        if trouble := self._trouble or self._runs.late(at):
            return cannot_tell(TEST, COMPARATOR, f"{self._name}: {trouble}")
        if self._last is None or self._last[0] <= release.recorded_at:
            return cannot_tell(TEST, COMPARATOR, f"{self._name}: not run since the release")
        return self._judged(self._last[1], release)

    def _judged(self, last: Verdict, release: Release) -> Finding:
        found = cannot_tell(TEST, COMPARATOR, last.because)
        if last.answer is Said.PASSED:
            return found.model_copy(update={"answer": Answer.FINE_SO_FAR})
        if last.answer is not Said.FAILED or self._failing_since is None:
            return found
        if excuse := self._excuse(self._failing_since, release):
            return found.model_copy(update={"because": f"{last.because}; {excuse}"})
        return found.model_copy(update={"answer": Answer.REGRESSED})

    def _excuse(self, failing_since: datetime, release: Release) -> str:
        """Why a failure is not the release's doing; empty where it is."""
        if failing_since <= release.recorded_at:
            return "it failed before the release as well"
        if not self._passed_once:
            return "never seen to pass: how it was before the release is unknown"
        return ""
