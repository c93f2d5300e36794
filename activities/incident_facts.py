"""Everything that a decision on an incident rests on, read from the records and the catalogue."""

from dataclasses import dataclass
from datetime import datetime

from activities.past import Past
from activities.records import Records
from rollback_manager.catalogue import Catalogue
from rollback_manager.decision.engine import decide
from rollback_manager.decision.factors import History
from rollback_manager.decision.facts import DecisionFacts, WayBack
from rollback_manager.decision.ledger import Entry
from rollback_manager.errors import Blocked
from rollback_manager.incidents.alarms import Sighting
from rollback_manager.incidents.analysis import Analysis, AnalysisFacts, analyse
from rollback_manager.incidents.deviation import Metric, Worse
from rollback_manager.incidents.incident import Incident
from rollback_manager.incidents.indicators import Scene
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Baseline, Release, known_good
from rollback_manager.tier import TierFacts, tier_of

ERRORS_MATTER_FROM = 0.001
"""0.1 %: the seed's margin above the baseline."""


@dataclass(frozen=True)
class Known:
    """An incident at the moment at which it is judged, and what is known of its releases."""

    incident: Incident
    release: Release
    releases: list[Release]
    policy: DecisionPolicy
    seen: Sighting
    at: datetime

    def baseline(self) -> Baseline | None:
        """The release's own, else of the newest one before it that was measured."""
        before = (r for r in self.releases if r.recorded_at < self.release.recorded_at)
        older = (r.baseline for r in before if r.baseline is not None)
        return self.release.baseline or next(older, None)


class IncidentFacts:
    """Reads what is not in the alarms themselves."""

    def __init__(self, catalogue: Catalogue, records: Records, past: Past) -> None:
        self._catalogue = catalogue
        self._records = records
        self._past = past

    def judged(self, known: Known) -> Entry:
        """The decision, with everything that it was made from."""
        incident = known.incident
        facts = self._analysis_facts(known)
        analysis = analyse(facts, known.policy)
        grounds = DecisionFacts(
            incident=incident,
            analysis=analysis,
            way_back=self._way_back(known, analysis),
            history=self._history(incident),
            calibration=self._past.calibration(incident.env, incident.service, known.policy),
            model=self._past.model(incident.env),
            approvers=self._catalogue.environments[incident.env].approvers,
            level=self._catalogue.environments[incident.env].security,
            now=known.at,
        )
        decision = decide(grounds, known.policy)
        return Entry(analysed_from=facts, facts=grounds, policy=known.policy, decision=decision)

    def _analysis_facts(self, known: Known) -> AnalysisFacts:
        service = self._catalogue.services[known.incident.service]
        return AnalysisFacts(
            scene=_scene(known),
            metrics=_metrics(known.seen, known.baseline()),
            strategy=service.strategy,
            dependencies=len(service.deploys_after) + len(service.reads_from),
        )

    def _way_back(self, known: Known, analysis: Analysis) -> WayBack:
        tiered = tier_of(self._tier_facts(known, analysis))
        try:
            target = known_good(known.releases, known.incident.version).release.version
        except Blocked:
            target = ""
        return WayBack(target=target, tier=tiered.tier, tier_because=tiered.because)

    def _tier_facts(self, known: Known, analysis: Analysis) -> TierFacts:
        trusted = not known.policy.tier_up_without_evidence
        service = self._catalogue.services[known.incident.service]
        return TierFacts(
            deployment_type=analysis.deployment_type,
            touches_data=analysis.has_data_changes,
            security_incident=_is(known.incident, TriggerKind.SECURITY_INCIDENT),
            rehearsed=trusted or self._rehearsed(known.incident, known.at),
            pair_tested=trusted or service.pair_tested,
        )

    def _rehearsed(self, incident: Incident, at: datetime) -> bool:
        days = self._catalogue.policy(incident.env, incident.service).rehearsed_within_days
        past = self._records.past(incident.env, incident.service)
        return any(one.verified and (at - one.finished_at).days < days for one in past)

    def _history(self, incident: Incident) -> History:
        past = self._records.past(incident.env, incident.service)
        ended = past[0].finished_at if past else None
        return History(
            rollbacks=len(past),
            false_alarms=self._past.false_alarms(incident.env, incident.service),
            last_ended_at=ended,
        )


def _is(incident: Incident, kind: TriggerKind) -> bool:
    return any(one.newest.trigger is kind for one in incident.joined)


def _scene(known: Known) -> Scene:
    incident, seen, baseline = known.incident, known.seen, known.baseline()
    return Scene(
        service=incident.service,
        version=incident.version,
        released_at=known.release.recorded_at,
        onset_at=seen.onset_at,
        detected_at=incident.detected_at,
        now=known.at,
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
