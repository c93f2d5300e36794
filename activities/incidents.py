"""The role of incidents: alarms in, decisions out, each kept with everything it was made from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.records import Records
from activities.step import now
from activities.targets import Targets
from rollback_manager.alarms import Alarm, AlarmFacts, Refused, Sighting, refused
from rollback_manager.analysis import Analysis, AnalysisFacts, analyse
from rollback_manager.catalogue import Catalogue
from rollback_manager.decision.engine import Decision, decide
from rollback_manager.decision.factors import History
from rollback_manager.decision.facts import DecisionFacts, WayBack
from rollback_manager.decision.ledger import Entry, Label
from rollback_manager.deviation import Metric, Worse
from rollback_manager.errors import Blocked, PermanentError
from rollback_manager.incident import Incident, join
from rollback_manager.indicators import Scene
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Baseline, Release, known_good
from rollback_manager.tier import TierFacts, tier_of
from rollback_manager.triggers import TriggerKind
from rollback_manager.values import Value

ERRORS_MATTER_FROM = 0.001
"""0.1 %: the seed's margin above the baseline."""


class Incidents(Protocol):
    """Where alarms go."""

    def alarm(self, alarm: Alarm) -> None:
        """Open the release's incident, or join it; again is counted there, not doubled."""


class Ledger(Protocol):
    """Every decision with all its inputs."""

    def keep_decision(self, env: str, service: str, entry: Entry) -> None:
        """Keep it; the same incident at the same moment again replaces it."""

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
    """An incident, and what has come in since it was judged last. asked_by: empty for nobody."""

    incident: Incident
    alarms: tuple[Alarm, ...]


class Judged(Value):
    """The incident with its new evidence, and what is decided; None where every alarm was refused.

    refused: the alarms that are not acted on, with the reasons, newest last.
    """

    incident: Incident
    refused: tuple[Refused, ...] = ()
    analysis: Analysis | None = None
    decision: Decision | None = None


class IncidentActivities:
    """Activities on incidents. They read and think; what they come to is kept."""

    def __init__(
        self, catalogue: Catalogue, records: Records, ledger: Ledger, targets: Targets
    ) -> None:
        self._catalogue = catalogue
        self._records = records
        self._ledger = ledger
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def judge_incident(self, asked: AlarmsOf) -> Judged:
        """Join the alarms, analyse, decide, and keep the decision with everything behind it."""
        incident, at = asked.incident, now()
        releases = self._releases(incident)
        policy = self._policy(incident)
        refusals, seen = [], Sighting()
        for alarm in asked.alarms:
            because = refused(alarm.evidence, self._alarm_facts(alarm, releases, at), policy)
            if because is not None:
                refusals.append(because)
                continue
            incident, seen = join(incident, alarm.evidence), alarm.seen
        release = next((r for r in releases if r.version == incident.version), None)
        if release is None or not incident.alarms:
            return Judged(incident=incident, refused=tuple(refusals))
        entry = self._entry(incident, release, releases, seen, policy, at)
        self._ledger.keep_decision(incident.env, incident.service, entry)
        analysis, decision = entry.facts.analysis, entry.decision
        return Judged(
            incident=incident, refused=tuple(refusals), analysis=analysis, decision=decision
        )

    def _entry(
        self,
        incident: Incident,
        release: Release,
        releases: list[Release],
        seen: Sighting,
        policy: DecisionPolicy,
        at: datetime,
    ) -> Entry:
        baseline = release.baseline or _baseline_before(release, releases)
        scene = _scene(incident, release, seen, baseline, at)
        service = self._catalogue.services[incident.service]
        facts = AnalysisFacts(
            scene=scene,
            metrics=_metrics(seen, baseline),
            strategy=service.strategy,
            dependencies=len(service.deploys_after) + len(service.reads_from),
        )
        analysis = analyse(facts, policy)
        grounds = DecisionFacts(
            incident=incident,
            analysis=analysis,
            way_back=self._way_back(incident, releases, analysis, policy, at),
            history=self._history(incident),
            approvers=self._catalogue.environments[incident.env].approvers,
            now=at,
        )
        decision = decide(grounds, policy)
        return Entry(analysed_from=facts, facts=grounds, policy=policy, decision=decision)

    def _way_back(
        self,
        incident: Incident,
        releases: list[Release],
        analysis: Analysis,
        policy: DecisionPolicy,
        at: datetime,
    ) -> WayBack:
        rehearsed = not policy.tier_up_without_evidence or self._rehearsed(incident, at)
        tiered = tier_of(
            TierFacts(
                deployment_type=analysis.deployment_type,
                touches_data=analysis.has_data_changes,
                security_incident=_is(incident, TriggerKind.SECURITY_INCIDENT),
                rehearsed=rehearsed,
                pair_tested=not policy.tier_up_without_evidence
                or self._catalogue.services[incident.service].pair_tested,
            )
        )
        try:
            target = known_good(releases, incident.version).release.version
        except Blocked:
            target = ""
        return WayBack(target=target, tier=tiered.tier, tier_because=tiered.because)

    def _rehearsed(self, incident: Incident, at: datetime) -> bool:
        days = self._catalogue.policy(incident.env, incident.service).rehearsed_within_days
        past = self._records.past(incident.env, incident.service)
        return any(one.verified and (at - one.finished_at).days < days for one in past)

    def _history(self, incident: Incident) -> History:
        past = self._records.past(incident.env, incident.service)
        ended = past[0].finished_at if past else None
        return History(rollbacks=len(past), last_ended_at=ended)

    def _releases(self, incident: Incident) -> list[Release]:
        return list(self._records.releases(incident.env, incident.service))

    def _policy(self, incident: Incident) -> DecisionPolicy:
        known = self._catalogue.environments.get(incident.env)
        return known.decisions if known else DecisionPolicy()

    def _alarm_facts(self, alarm: Alarm, releases: list[Release], at: datetime) -> AlarmFacts:
        return AlarmFacts(
            service=alarm.service,
            version=alarm.version,
            service_known=self._knows(alarm.env, alarm.service),
            release=next((r for r in releases if r.version == alarm.version), None),
            carries_traffic=self._share(alarm) > 0,
            starting=alarm.seen.starting,
            now=at,
        )

    def _share(self, alarm: Alarm) -> int:
        """Per cent of the traffic that it has now, whoever says what of it."""
        if not self._knows(alarm.env, alarm.service):
            return 0
        shares = self._targets(alarm.env, alarm.service).traffic.shares().shares
        return shares.get(alarm.version, 0)

    def _knows(self, env: str, service: str) -> bool:
        try:
            self._catalogue.placement(env, service)
        except PermanentError:
            return False
        return True


def _is(incident: Incident, kind: TriggerKind) -> bool:
    return any(one.newest.trigger is kind for one in incident.joined)


def _baseline_before(release: Release, releases: list[Release]) -> Baseline | None:
    """What users got from the newest release before this one that was measured."""
    before = (r for r in releases if r.recorded_at < release.recorded_at)
    return next((r.baseline for r in before if r.baseline is not None), None)


def _scene(
    incident: Incident, release: Release, seen: Sighting, baseline: Baseline | None, at: datetime
) -> Scene:
    return Scene(
        service=incident.service,
        version=incident.version,
        released_at=release.recorded_at,
        onset_at=seen.onset_at,
        detected_at=incident.detected_at,
        now=at,
        new=seen.new,
        old=seen.old,
        normal_error_ratio=baseline.error_ratio if baseline else 0.0,
        traffic_share=seen.traffic_share,
        usual_per_s=baseline.requests_per_s if baseline else None,
        common_mode=seen.common_mode,
        worse_than_old=seen.worse_than_old,
    )


def _metrics(seen: Sighting, baseline: Baseline | None) -> tuple[Metric, ...]:
    if seen.new is None or not seen.new.requests:
        return ()
    errors = Metric(
        name="error ratio",
        value=seen.new.error_ratio,
        baseline=baseline.error_ratio if baseline else None,
        worse=Worse.UP,
        matters_from=ERRORS_MATTER_FROM,
    )
    if seen.new.latency_p95_ms is None:
        return (errors,)
    latency = Metric(
        name="P95 ms",
        value=seen.new.latency_p95_ms,
        baseline=baseline.latency_p95_ms if baseline else None,
        worse=Worse.UP,
        matters_from=1.0,
    )
    return errors, latency
