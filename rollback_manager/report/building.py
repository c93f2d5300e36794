"""Entries → Report."""

from datetime import datetime

from rollback_manager.gates import GateResult, Group
from rollback_manager.progress import StepRecord
from rollback_manager.report import timeline, votes
from rollback_manager.report.contents import Impact, Report, ServicePart, last_of
from rollback_manager.report.entries import ENDS, Entry
from rollback_manager.report.evidence import Evidence
from rollback_manager.report.services import part_of


def build(entries: tuple[Entry, ...]) -> Report:
    """The report of the rollback whose parent's entries come first."""
    evidence = Evidence(entries)
    request, plan, outcome = evidence.request, evidence.plan, evidence.outcome
    services = tuple(part_of(service, evidence) for service in plan.services) if plan else ()
    decisions = votes.decisions(evidence)
    decided = votes.decided(evidence, decisions)
    hinge = decided.at if decided else None
    moments = timeline.moments(evidence, services)
    records = [record for part in services for record in part.records]
    end = next((entry for entry in evidence.parent if entry.kind in ENDS), None)
    return Report(
        rollback=evidence.id,
        request=request,
        requested_at=evidence.parent[0].at,
        as_of=max(entry.at for entry in entries),
        ended=end.kind if end else None,
        ended_because=end.because if end else "",
        planned=evidence.planned,
        outcome=outcome,
        digest=evidence.digest,
        security=(outcome.security if outcome else plan.security if plan else ""),
        decided_at=hinge,
        decided_how=decided.text if decided else "",
        services=services,
        before=tuple(m for m in moments if hinge is None or m.at < hinge),
        after=tuple(m for m in moments if hinge is not None and m.at >= hinge),
        decisions=decisions,
        commands=votes.commands(evidence),
        gates=_gates(evidence),
        own_errors=_own_errors(records),
        unread=tuple(str(r.kind) for r in records if r.own_errors is None and not _only_read(r)),
        release_at=min((p.released_at for p in services if p.released_at), default=None),
        impact=_impact(services, request.evidence[0].at if request.evidence else None),
    )


def _gates(evidence: Evidence) -> tuple[GateResult, ...]:
    """All gates that were asked, in the groups' order; the plan's own where none is later."""
    gates = evidence.outcome.gates if evidence.outcome else ()
    if evidence.plan is not None and not any(gate.group is Group.BEFORE for gate in gates):
        gates = (*evidence.plan.gates, *gates)
    return tuple(sorted(gates, key=lambda gate: list(Group).index(gate.group)))


def _own_errors(records: list[StepRecord]) -> int | None:
    counted = [record.own_errors for record in records if record.own_errors is not None]
    return sum(counted) if counted else None


def _only_read(record: StepRecord) -> bool:
    """Whether all was there already, so that nothing of ours could fail a request."""
    return not record.written and record.before == record.observed != "unknown"


def _impact(services: tuple[ServicePart, ...], first_seen: datetime | None) -> Impact | None:
    worse = [part.worse_at for part in services if part.worse_at is not None]
    until = last_of(part.traffic_back_at for part in services)
    if not worse or until is None:
        return None
    since = min(worse)
    return Impact(since=since, until=until, at_least=since == first_seen)
