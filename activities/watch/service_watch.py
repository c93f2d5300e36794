"""The watch of one service: which release, beside what, and what is said of it."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from activities.counted import counters, most_unseen
from activities.incident_role import Incidents
from activities.step import now
from activities.targets import Targets
from activities.watch.alarms_given import AlarmsGiven
from activities.watch.other_tests import OtherTests
from activities.watch.under_watch import Due, Told, TrafficLook, UnderWatch
from activities.watch.warm_ups import Histories, Warming
from activities.watch.young_releases import YoungReleases
from rollback_manager.errors import RollbackError
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import cannot_tell
from rollback_manager.statistics.release_watch import ReleaseWatch
from rollback_manager.statistics.rows import stacked
from rollback_manager.watch.judges import Judge
from rollback_manager.watch.watching import (
    Watched,
    beside,
    may_be_watched,
    to_be_watched,
    usual,
)

MOST_AGE_S = 0.5
"""Of counters: half of the time between two looks, so that one question serves a round of them."""
USUAL_ERRORS = 0.01
"""Of a service that was never measured."""

log = logging.getLogger(__name__)


class ServiceWatch:
    """Looks at one service, hears what comes of it, and speaks: one of these at a time."""

    def __init__(
        self,
        env: str,
        service: str,
        watched_s: float,
        young: YoungReleases,
        histories: Histories,
        targets: Targets,
        incidents: Incidents,
        others: OtherTests,
        judges: Sequence[Judge] = (),
    ) -> None:
        self._env, self._service, self._watched_s = env, service, watched_s
        self._young, self._histories, self._targets = young, histories, targets
        self._others, self._judges = others, judges
        self._alarms = AlarmsGiven(env, service, incidents)
        self._under_watch: UnderWatch | None = None
        self._warming = Warming()
        self._carrying: dict[str, datetime | None] | None = None
        self._told: Told | None = None
        self._blind, self._unheard = "", ""
        self.due: Due | None = None
        """What the last look wants to have judged (`judge_together`), and nobody has yet."""
        self.watched: Watched | None = None
        """The release that is watched, as of the last look that could be taken."""

    @property
    def trouble(self) -> str:
        """Why it cannot look, or its alarms are not taken; empty if all is well."""
        away = self._young.away
        return self._blind or self._unheard or (away.what if away and self._under_watch else "")

    @property
    def has_to_speak(self) -> bool:
        """Whether the incident should know of the last answer."""
        return self._told is not None and self._alarms.concerns(self._told)

    def look(self) -> None:
        """Take a look; what comes of it is judged beside the looks at other services."""
        before, self._told = self.trouble, None
        self._blind = self._tried(self._look)
        if self.trouble and not before:
            log.warning("not seen", extra={"service": self._service, "because": self.trouble})

    def hear(self, judged: ReleaseWatch, place: int) -> None:
        """The answer to what was due."""
        self.due = None
        one = self._under_watch
        if one is not None:
            self._blind = self._tried(lambda: self._tell(one, one.settled(judged, place)))

    def judge_alone(self) -> None:
        """Where judging it beside others failed; a mistake of ours is told as what blinds it."""
        self._blind = self._tried(lambda: _judge([self])) or self._blind
        self.due = None

    def speak(self) -> None:
        """Give the alarms that come of the last answer."""
        one, told = self._under_watch, self._told
        if one is not None and told is not None:
            self._unheard = self._tried(lambda: self._alarms.give(one, told))

    def _tried(self, part: Callable[[], None]) -> str:
        """Why it failed, in words: told to people as it is, never "all is well"."""
        try:
            part()
        except RollbackError as error:
            return error.what
        except Exception as error:  # a mistake of ours here must not blind the other services
            log.exception("a look failed", extra={"env": self._env, "service": self._service})
            return f"{type(error).__name__}: {error}"
        return ""

    def _look(self) -> None:
        self._others.read_on(now())
        releases = self._young.of(self._service)
        if not any(may_be_watched(one, now(), self._watched_s) for one in releases):
            self._under_watch = self._carrying = self.watched = None
            return
        target = self._targets(self._env, self._service)
        shares = target.traffic.split()
        self._note_first_users(shares)
        release = to_be_watched(list(releases), shares, now(), self._watched_s)
        if release is None:
            self._under_watch = self.watched = None
            return
        others = [one for one in (beside(release.version, shares),) if one]
        try:
            counted = counters(target, release.version, others, MOST_AGE_S)
        except RollbackError as error:
            self._uncounted(release, shares, error.what)
            raise
        self._take(release, TrafficLook(shares, counted, most_unseen(target)))

    def _uncounted(self, release: Release, shares: dict[str, int], because: str) -> None:
        """The tests with other eyes still see: a version that nobody counts may be a dead one."""
        one = self._under_watch
        if one is None or one.release.version != release.version:
            nothing = TrafficLook(shares, Snapshot(taken_at=now(), versions={}))
            one = self._under_watch = self._begun(release, nothing)
        one.go_blind()
        self._tell(one, Told(cannot_tell("counters", one.beside, because)))

    def _note_first_users(self, shares: dict[str, int]) -> None:
        """Since when each version has traffic: known of those that were seen without it."""
        first = now() if self._carrying is not None else None
        known = self._carrying or {}
        self._carrying = {
            version: known.get(version, first) for version, part in shares.items() if part
        }

    def _take(self, release: Release, look: TrafficLook) -> None:
        one = self._under_watch
        if one is None or not one.fits(release, look):
            one = self._under_watch = self._begun(release, look)
            self.watched = self._in_words(one, "watched from now on")
            return
        match one.take(look):
            case Due() as due:
                self.due = due
                if self._warming.add(due.interval) and not self._alarms.any:
                    self._histories.keep(self._warming.seen(self._service, release.version))
            case Told() as told:
                self._tell(one, told)

    def _begun(self, release: Release, look: TrafficLook) -> UnderWatch:
        self._alarms.begin(release.version)
        self._warming = Warming()
        since = (self._carrying or {}).get(release.version) or release.recorded_at
        control = beside(release.version, look.shares)
        usually = usual(list(self._young.of(self._service)), release.version, control)
        errors = usually.error_ratio if usually else USUAL_ERRORS
        history = self._histories.of(self._service, errors)
        return UnderWatch(release, usually, history, since, look, self._judges)

    def _tell(self, one: UnderWatch, told: Told) -> None:
        told = self._others.with_theirs(told, one.release, one.beside, now())
        words = f"{told.verdict.answer}: {told.verdict.because}"
        words += f"; {told.advice}" if told.advice else ""
        self._told, self.watched = told, self._in_words(one, words)

    def _in_words(self, one: UnderWatch, says: str) -> Watched:
        return Watched(
            service=self._service, version=one.release.version, beside=one.beside, says=says
        )


def judge_together(services: Iterable[ServiceWatch]) -> None:
    """All that is due, at once: for arrays a thousand releases are hardly more work than one."""
    due = [one for one in services if one.due is not None]
    try:
        _judge(due)
    except Exception:  # a mistake of ours with one of them must not blind the others
        log.exception("releases are judged one by one")
        for one in due:
            one.judge_alone()


def _judge(services: Sequence[ServiceWatch]) -> None:
    asked = [(one, one.due) for one in services if one.due is not None]
    if asked:
        watches = stacked([due.watch for _, due in asked])
        judged = watches.with_more(stacked([due.interval for _, due in asked]))
        for place, (service, _) in enumerate(asked):
            service.hear(judged, place)
