"""The watch of one service: which release, beside what, and what was said of it last."""

import logging
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from activities.incident_role import Incidents
from activities.records import Records
from activities.step import now
from activities.targets import Targets
from activities.under_watch import Told, TrafficLook, UnderWatch
from rollback_manager.alarms import Alarm
from rollback_manager.detected import evidence
from rollback_manager.errors import RollbackError
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.watching import (
    Watched,
    beside,
    may_be_watched,
    to_be_watched,
    usual,
)

RECORDS_EVERY_S = 5.0
"""How long a new release may go unnoticed."""
AGAIN_S, SELDOM_S = 15.0, 300.0
"""An alarm that lasts is repeated after so long, then after twice as long, and so on up to that:
the incident may have missed the first, or ended."""
WELL_S = 15.0
"""So long a test must say nothing bad before the incident is told that it has recovered."""

log = logging.getLogger(__name__)


@dataclass
class Said:
    """One test's alarm. due_at: when it is repeated. well_since: None while it says "regressed"."""

    due_at: float
    again_s: float = AGAIN_S
    well_since: float | None = None


class ServiceWatch:
    """Looks at one service whenever it is asked to; never twice at once."""

    def __init__(
        self,
        env: str,
        service: str,
        watched_s: float,
        records: Records,
        targets: Targets,
        incidents: Incidents,
    ) -> None:
        self._env, self._service, self._watched_s = env, service, watched_s
        self._records, self._targets, self._incidents = records, targets, incidents
        self._under_watch: UnderWatch | None = None
        self._releases: list[Release] = []
        self._read_at = float("-inf")
        self._records_away = ""
        self._carrying: dict[str, datetime | None] | None = None
        self._said: dict[str, Said] = {}
        self.watched: Watched | None = None
        """The release that is watched, as of the last look that could be taken."""
        self.trouble = ""
        """Why the last look could not be taken; empty if it could."""

    def look(self) -> None:
        """Take a look, and give the alarms that come of it; what fails is kept in words."""
        before, self.trouble = self.trouble, ""
        try:
            self.watched = self._looked()
            self.trouble = self._records_away
        except RollbackError as error:  # told to people as it is: not "all is well"
            self.trouble = error.what
        except Exception as error:  # a mistake of ours here must not blind the other services
            self.trouble = f"{type(error).__name__}: {error}"
            log.exception("a look failed", extra={"env": self._env, "service": self._service})
        if self.trouble and not before:
            log.warning("not seen", extra={"service": self._service, "because": self.trouble})

    def _looked(self) -> Watched | None:
        self._read_releases()
        if not any(may_be_watched(one, now(), self._watched_s) for one in self._releases):
            self._under_watch = self._carrying = None
            return None
        traffic = self._targets(self._env, self._service).traffic
        shares = traffic.shares().shares
        self._note_first_users(shares)
        release = to_be_watched(self._releases, shares, now(), self._watched_s)
        if release is None:
            self._under_watch = None
            return None
        return self._judged(release, TrafficLook(shares, traffic.snapshot()))

    def _read_releases(self) -> None:
        """While the records are away, what they said last is watched on."""
        if monotonic() - self._read_at < RECORDS_EVERY_S:
            return
        try:
            self._releases = list(self._records.releases(self._env, self._service))
        except RollbackError as error:
            if not self._releases:
                raise
            self._records_away = error.what
        else:
            self._records_away = ""
        self._read_at = monotonic()

    def _note_first_users(self, shares: dict[str, int]) -> None:
        """Since when each version has traffic: known of those that were seen without it."""
        first = now() if self._carrying is not None else None
        known = self._carrying or {}
        self._carrying = {
            version: known.get(version, first) for version, part in shares.items() if part
        }

    def _judged(self, release: Release, look: TrafficLook) -> Watched:
        one = self._under_watch
        if one is None or not one.fits(release, look):
            one = self._under_watch = self._begun(release, look)
            return self._in_words(one, "watched from now on")
        told = one.with_more(look)
        for finding in told.tests:
            self._maybe_alarm(one, finding)
        return self._in_words(one, _words(told))

    def _begun(self, release: Release, look: TrafficLook) -> UnderWatch:
        """Nothing is said of it yet: what was said of another release is over."""
        self._said = {}
        since = (self._carrying or {}).get(release.version) or release.recorded_at
        control = beside(release.version, look.shares)
        return UnderWatch(release, usual(self._releases, release.version, control), since, look)

    def _in_words(self, one: UnderWatch, says: str) -> Watched:
        return Watched(
            service=self._service, version=one.release.version, beside=one.beside, says=says
        )

    def _maybe_alarm(self, one: UnderWatch, finding: Finding) -> None:
        """A regression at once, and again while it lasts; its end once, when it stays away."""
        said, at = self._said.get(finding.test), monotonic()
        if finding.answer is Answer.REGRESSED:
            self._regressed(one, finding, said, at)
        elif said is not None and said.well_since is None:
            said.well_since = at
        elif said is not None and said.well_since is not None and at >= said.well_since + WELL_S:
            alarm = self._alarm(one, finding)
            if alarm is not None:
                self._incidents.recovered(alarm)
            del self._said[finding.test]

    def _regressed(self, one: UnderWatch, finding: Finding, said: Said | None, at: float) -> None:
        if said is not None:
            said.well_since = None
            if at < said.due_at:
                return
        alarm = self._alarm(one, finding)
        if alarm is None:
            return
        self._incidents.alarm(alarm)
        again_s = min(2 * said.again_s, SELDOM_S) if said else AGAIN_S
        self._said[finding.test] = Said(at + again_s, again_s)
        log.info("alarm", extra={"service": self._service, "because": alarm.evidence.words})

    def _alarm(self, one: UnderWatch, finding: Finding) -> Alarm | None:
        seen = one.seen(finding)
        said = evidence(finding, seen, one.usual, now())
        if said is None:
            return None
        return Alarm(
            env=self._env,
            service=self._service,
            version=one.release.version,
            evidence=said,
            seen=seen,
        )


def _words(told: Told) -> str:
    return f"{told.verdict.answer}: {told.verdict.because}"
