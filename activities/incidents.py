"""The role of incidents: alarms in, decisions out, each kept with everything it was made from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.incident_facts import IncidentFacts, Known
from activities.past import Past
from activities.records import Records
from activities.step import now
from activities.targets import Targets
from rollback_manager.authority.keys import VerifyKey
from rollback_manager.catalogue import Catalogue
from rollback_manager.decision.engine import Decision
from rollback_manager.decision.ledger import Entry, Label
from rollback_manager.errors import PermanentError
from rollback_manager.incidents.alarms import Alarm, AlarmFacts, Refused, Sighting, refused
from rollback_manager.incidents.analysis import Analysis
from rollback_manager.incidents.incident import Incident, burning, join
from rollback_manager.incidents.triggers import Finding, Source
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from rollback_manager.values import Count, Value


class Ledger(Protocol):
    """Every decision with all its inputs."""

    def keep_decision(self, env: str, service: str, entry: Entry) -> None:
        """Keep it; the same judgement made again, later, replaces it and keeps its label."""

    def decisions(
        self,
        env: str,
        service: str | None = None,
        *,
        most: int | None = None,
        labelled: bool = False,
    ) -> Sequence[Entry]:
        """The newest `most`, oldest first; if `labelled`, of those with a label alone."""

    def decisions_kept(self, env: str, service: str | None = None) -> tuple[int, int]:
        """How many there are, and how many of them have a label."""

    def label_decision(self, env: str, incident: str, label: Label) -> Entry:
        """Label the incident's newest decision, and it alone. Raises NotFound.

        The newest one knows all evidence that joined; one label is one incident in every count.
        """


class AlarmsOf(Value):
    """An incident, and what has come in since it was judged last.

    seen: what was seen around the release when it was. Without alarms it is only asked whether the
    incident is over. number: of the judgement, from 1; 0: an older build does not say.
    """

    incident: Incident
    alarms: tuple[Alarm, ...]
    seen: Sighting = Sighting()
    number: Count = 0

    @property
    def judgement(self) -> str:
        """The same for every attempt at one judgement, and for no other; empty where not said.

        The number alone is not enough: a release may have a second incident after its first.
        """
        return f"{self.incident.detected_at.isoformat()} {self.number}" if self.number else ""


class Judged(Value):
    """The incident with its new evidence, and what is decided; None where nothing new was taken.

    refused: the alarms that are not acted on, with the reasons, newest last. over: why there is
    nothing left to decide, such as that the release has no traffic any more; empty where there is.
    keys: that sign people's words on it, as the catalogue has them now; none: nothing is signed.
    """

    incident: Incident
    refused: tuple[Refused, ...] = ()
    analysis: Analysis | None = None
    decision: Decision | None = None
    seen: Sighting = Sighting()
    over: str = ""
    keys: tuple[VerifyKey, ...] = ()


class IncidentActivities:
    """Activities on incidents. They read and think; what they come to is kept."""

    def __init__(
        self, catalogue: Catalogue, records: Records, ledger: Ledger, past: Past, targets: Targets
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._ledger = ledger
        self._targets = targets
        self._facts = IncidentFacts(catalogue, records, past)

    @activity.defn(no_thread_cancel_exception=True)
    def judge_incident(self, asked: AlarmsOf) -> Judged:
        """Join the alarms, analyse, decide, and keep the decision with everything behind it."""
        at, incident = now(), asked.incident
        releases = list(self._records.releases(incident.env, incident.service))
        release = next((r for r in releases if r.version == incident.version), None)
        share = self._share(incident)
        policy = self._policy(incident)
        joined = self._joined(asked, release, share, policy, at)
        if release is None or joined.over or not joined.incident.is_one or not asked.alarms:
            return joined
        if len(joined.refused) == len(asked.alarms):
            return joined
        known = Known(joined.incident, release, releases, policy, joined.seen, at)
        entry = self._facts.judged(known).model_copy(update={"judgement": asked.judgement})
        self._ledger.keep_decision(incident.env, incident.service, entry)
        decided = {"analysis": entry.facts.analysis, "decision": entry.decision}
        return joined.model_copy(update=decided)

    def _joined(
        self,
        asked: AlarmsOf,
        release: Release | None,
        share: int,
        policy: DecisionPolicy,
        at: datetime,
    ) -> Judged:
        """With every alarm that may join, the oldest first; the others with their reasons."""
        incident, seen, refusals = asked.incident, asked.seen, list[Refused]()
        for alarm in sorted(asked.alarms, key=lambda one: one.evidence.fired_at):
            facts = AlarmFacts(
                service=alarm.service,
                version=alarm.version,
                service_known=self._knows(incident),
                release=release,
                carries_traffic=share > 0,
                starting=alarm.seen.starting,
                now=at,
            )
            because = refused(alarm.evidence, facts, policy)
            if because is not None:
                refusals.append(because)
                continue
            seen = _sighted(seen, alarm, burning(incident))
            incident = join(incident, alarm.evidence, alarm.times)
        over = "" if share else f"{incident.version} has no traffic any more"
        return Judged(
            incident=incident,
            refused=tuple(refusals),
            seen=seen,
            over=over if incident.is_one else "",
            keys=self._keys(incident),
        )

    @activity.defn(no_thread_cancel_exception=True)
    def who_may_speak(self, incident: Incident) -> Judged:
        """The keys alone, from the catalogue: where nothing can be judged, people still may."""
        return Judged(incident=incident, keys=self._keys(incident))

    def _keys(self, incident: Incident) -> tuple[VerifyKey, ...]:
        known = self._catalogue.environments.get(incident.env)
        return known.signing_keys if known else ()

    def _policy(self, incident: Incident) -> DecisionPolicy:
        known = self._catalogue.environments.get(incident.env)
        return known.decisions if known else DecisionPolicy()

    def _share(self, incident: Incident) -> int:
        """Per cent of the traffic that it has now, whoever says what of it."""
        if not self._knows(incident):
            return 0
        shares = self._targets(incident.env, incident.service).traffic.shares().shares
        return shares.get(incident.version, 0)

    def _knows(self, incident: Incident) -> bool:
        try:
            self._catalogue.placement(incident.env, incident.service)
        except PermanentError:
            return False
        return True


def _sighted(seen: Sighting, alarm: Alarm, burns: bool) -> Sighting:
    """The newest that has numbers: a report without any takes none away.

    The trace alone stays while it burns: those of later alarms show no more how it began.
    """
    regressed = alarm.evidence.finding is Finding.REGRESSED
    if regressed and alarm.seen.new is not None:
        stays = burns and seen.trace.points
        return alarm.seen.model_copy(update={"trace": seen.trace}) if stays else alarm.seen
    if alarm.evidence.source is not Source.DETECTOR:
        return seen
    return seen.model_copy(update={"common_mode": alarm.seen.common_mode})
