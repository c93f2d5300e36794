"""Which of one service's findings are alarms, and when each is given, repeated and taken back."""

import logging
from dataclasses import dataclass
from time import monotonic

from activities.incident_role import Incidents
from activities.step import now
from activities.watch.under_watch import Told, UnderWatch
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.watch.detected import evidence, speaks

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


class AlarmsGiven:
    """What was said of the release that is under watch."""

    def __init__(self, env: str, service: str, incidents: Incidents) -> None:
        self._env, self._service, self._incidents = env, service, incidents
        self._said: dict[str, Said] = {}
        self._version = ""
        self.any = False
        """Whether anything bad was said of the release, be it over or not."""

    def begin(self, version: str) -> None:
        """What was said of another release is over; of the same one it is still to be ended."""
        if version == self._version:
            return
        self._version = version
        self._said, self.any = {}, False

    def concerns(self, told: Told) -> bool:
        """Whether the incident should know of it, or may have to know of its end."""
        return bool(self._said) or any(speaks(one) for one in told.tests)

    def give(self, one: UnderWatch, told: Told) -> None:
        """Each test by itself. Raises Unreachable; what was not given is given the next time."""
        failed: Exception | None = None
        for finding in told.tests:
            try:
                self._maybe_alarm(one, finding)
            except Exception as error:  # noqa: BLE001 -- one test must not silence the others
                failed = failed or error
        if failed is not None:
            raise failed

    def _maybe_alarm(self, one: UnderWatch, finding: Finding) -> None:
        """A regression at once, and again while it lasts; its end once, when it stays away."""
        said, at = self._said.get(finding.test), monotonic()
        if speaks(finding):
            self._regressed(one, finding, said, at)
        elif said is None:
            return
        elif finding.answer is not Answer.FINE_SO_FAR:
            said.well_since = None  # no data is no recovery
        elif said.well_since is None:
            said.well_since = at
        elif at >= said.well_since + WELL_S:
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
        self.any = True
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
