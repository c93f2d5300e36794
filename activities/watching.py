"""The long activity of the watch: looks at every release with traffic, and gives alarms.

It writes nothing into history but its beats and, where that changes, what it watches.
"""

import logging
import time

from temporalio import activity

from activities.incidents import Incidents
from activities.look import READERS, Look, Looks
from activities.records import Records
from activities.step import asked_to_stop, now
from activities.targets import Targets
from activities.under_watch import UnderWatch
from rollback_manager.alarms import Alarm
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import RollbackError
from rollback_manager.release import Release
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.watching import Watch, Watched, evidence, to_be_watched

EVERY_S = 1.0
"""Envoy's counters are current to the second; a look costs a few ms."""
RECORDS_EVERY_S = 5.0
"""How long a new release may go unnoticed."""
AGAIN_S = 15.0
"""An alarm that lasts is repeated so often: the incident may have ended, or missed the first."""
MOST_TOLD = 200
"""Releases whose last word goes with each beat: about 60 KB, below what Temporal takes (2 MB)."""
ROUND_S = 55 * 60.0
"""Below the hour that one attempt may take."""

log = logging.getLogger(__name__)


class WatchActivities:
    """The activity that watches. What it has seen stays in the process between its attempts."""

    def __init__(
        self, catalogue: Catalogue, records: Records, targets: Targets, incidents: Incidents
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._targets = targets
        self._incidents = incidents
        self._watched: dict[tuple[str, str], _OfService] = {}

    @activity.defn(no_thread_cancel_exception=True)
    def watch_releases(self, before: Watch) -> Watch:
        """Look again and again; answers when it watches something else, and after an hour."""
        until = time.monotonic() + ROUND_S
        while True:
            began = time.monotonic()
            seen = self._look(before.env)
            if seen.names() != before.names() or not before.looked or began >= until:
                return seen
            if _breathe(seen, began + EVERY_S):
                return before

    def _look(self, env: str) -> Watch:
        services = [
            name for name, one in self._catalogue.services.items() if env in one.environments
        ]
        asked = {name: READERS.submit(self._of(env, name).look) for name in services}
        answers = [asked[name].result() for name in services]
        return Watch(
            env=env,
            releases=tuple(one for one in answers if isinstance(one, Watched)),
            trouble=tuple(one for one in answers if isinstance(one, str)),
            looked=True,
        )

    def _of(self, env: str, service: str) -> "_OfService":
        key = env, service
        if key not in self._watched:
            watched_s = self._catalogue.environments[env].decisions.watched_s
            self._watched[key] = _OfService(self, env, service, watched_s)
        return self._watched[key]


class _OfService:
    """The watch of one service: which release, beside what, and what was said of it last."""

    def __init__(self, parts: WatchActivities, env: str, service: str, watched_s: float) -> None:
        self._parts, self._env, self._service, self._watched_s = parts, env, service, watched_s
        self._under_watch: UnderWatch | None = None
        self._releases: list[Release] = []
        self._read_at = float("-inf")
        self._said: tuple[Answer, float] = (Answer.CANNOT_TELL, float("-inf"))

    def look(self) -> Watched | str | None:
        """What is watched; in words why that cannot be said; None where there is nothing to."""
        try:
            return self._looked()
        except RollbackError as error:  # told to people as it is: not "all is well"
            return f"{self._service}: {error.what}"

    def _looked(self) -> Watched | None:
        if time.monotonic() - self._read_at >= RECORDS_EVERY_S:
            self._releases = list(self._parts._records.releases(self._env, self._service))
            self._read_at = time.monotonic()
        look = Looks(self._parts._targets(self._env, self._service)).take()
        release = to_be_watched(self._releases, look.shares.shares, now(), self._watched_s)
        if release is None:
            self._under_watch = None
            return None
        return self._judged(release, look)

    def _judged(self, release: Release, look: Look) -> Watched:
        one = self._under_watch
        if one is None or not one.fits(release, look):
            one = self._under_watch = UnderWatch(release, self._control(release, look), look)
            return self._told(one, "watched from now on")
        finding = one.with_more(look)
        self._maybe_alarm(one, finding)
        return self._told(one, f"{finding.answer}: {finding.because}")

    def _control(self, release: Release, look: Look) -> Release | None:
        """The release that has traffic beside it; else the newest one before that was measured."""
        others = [one for one in self._releases if one.version != release.version]
        live = [one for one in others if look.shares.shares.get(one.version)]
        return next(iter(live or [one for one in others if one.baseline]), None)

    def _told(self, one: UnderWatch, says: str) -> Watched:
        return Watched(
            service=self._service, version=one.release.version, beside=one.beside, says=says
        )

    def _maybe_alarm(self, one: UnderWatch, finding: Finding) -> None:
        """A regression at once and again while it lasts; its end once."""
        answer, at = self._said
        regressed = finding.answer is Answer.REGRESSED
        due = answer is not finding.answer or time.monotonic() - at >= AGAIN_S
        if not due or not (regressed or answer is Answer.REGRESSED):
            return
        seen = one.seen(finding)
        said = evidence(finding, seen, now())
        if said is None:
            return
        alarm = Alarm(
            env=self._env,
            service=self._service,
            version=one.release.version,
            evidence=said,
            seen=seen,
        )
        self._parts._incidents.alarm(alarm)
        self._said = finding.answer, time.monotonic()
        log.info("alarm", extra={"service": self._service, "because": said.words})


def _breathe(seen: Watch, until: float) -> bool:
    """Beat, and wait for the next look; whether somebody ended the watch meanwhile.

    The beat carries what was seen: people read it there, and it never enters history.
    """
    activity.heartbeat(seen.first(MOST_TOLD))
    if asked_to_stop():
        return True
    time.sleep(max(0.0, until - time.monotonic()))
    return False
