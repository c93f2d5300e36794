"""What is known of a plan beside its steps: what was seen, its gates, how long it takes. Pure."""

import statistics
from collections.abc import Sequence

from rollback_manager import freezes, gates
from rollback_manager.contract import RollbackRequest
from rollback_manager.gates import BeforeFacts, GateResult
from rollback_manager.metrics.reading import NoReading, Reading, total
from rollback_manager.plan import Estimate, Found, ServicePlan
from rollback_manager.planning.facts import PlanningFacts, bad_version
from rollback_manager.telling.channels import told_by


def found(facts: PlanningFacts, by_hand: tuple[str, ...], analyses: tuple[str, ...] = ()) -> Found:
    """What was seen while planning: figures for people, outside the digest."""
    bad = bad_version(facts)
    reading = since_release(facts, bad)
    return Found(
        service=facts.service,
        ready=facts.ready,
        shares=facts.shares,
        bad_reading=reading,
        counted=total(facts.snapshot),
        by_hand=by_hand,
        drift=facts.drift.told if facts.drift else (),
        until=facts.drift.until if facts.drift else (),
        not_asked=facts.drift.not_asked if facts.drift else (),
        analyses=analyses,
    )


def since_release(facts: PlanningFacts, version: str) -> Reading | NoReading:
    """All answers of `version` that the proxy counts, and for how long it is recorded.

    Not a rate: the counters begin with its cluster, which may be older than the record, or younger.
    """
    counts = facts.snapshot.versions.get(version)
    if counts is None or counts.requests == 0:
        return NoReading(version=version, because=f"no answer of {version} was counted yet")
    release = next((r for r in facts.releases if r.version == version), None)
    window = (facts.now - release.recorded_at).total_seconds() if release else 0.0
    return Reading(
        version=version,
        requests=counts.requests,
        errors=counts.errors,
        latency_p95_ms=None,
        window_s=max(0.0, window),
        taken_at=facts.snapshot.taken_at,
    )


def gates_before(
    facts: PlanningFacts,
    plan: ServicePlan,
    request: RollbackRequest,
    security: str,
    channels: tuple[str, ...] = (),
    *,
    asked: bool = False,
) -> tuple[GateResult, ...]:
    """The gates before, judged for one service.

    channels: names of those that are told. asked: somebody must agree, whatever its policy.
    """
    rehearsed = [past.finished_at for past in facts.past if past.verified]
    general = gates.before(
        BeforeFacts(
            strategy=plan.strategy,
            touches_data=facts.strategy.touches_data,
            last_rehearsed=max(rehearsed, default=None),
            rehearsed_within_days=facts.policy.rehearsed_within_days,
            bad=since_release(facts, plan.from_version),
            good_error_ratio=plan.baseline.error_ratio if plan.baseline else None,
            requested_by=request.requested_by,
            security=security,
            approval_required=not request.break_glass and (facts.policy.approval.required or asked),
            told=told_by(channels),
            now=facts.now,
        )
    )
    return (*general, *freezes.gates(facts.frozen), *facts.preconditions)


def must_be_asked(request: RollbackRequest, facts: PlanningFacts) -> bool:
    """Whether a person must agree whatever the policy says."""
    return request.needs_approval or bool(freezes.stops_rollbacks(facts.frozen))


def estimate(facts: PlanningFacts) -> Estimate:
    """The 75th percentile of past rollbacks, or the seed's table while there are fewer than 3."""
    back = [p.traffic_back_s for p in facts.past if p.verified and p.traffic_back_s is not None]
    well = [p.verified_s for p in facts.past if p.verified and p.verified_s is not None]
    if len(back) >= 3 and len(well) >= 3:
        return Estimate(
            traffic_back_s=_p75(back), verified_s=_p75(well), source=f"p75 of {len(back)} runs"
        )
    return Estimate(
        traffic_back_s=facts.strategy.traffic_back_s,
        verified_s=facts.strategy.traffic_back_s + facts.policy.verification.max_window_s,
        source=f"upper bounds of {facts.strategy.name}: only {len(back)} runs are recorded",
    )


def _p75(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=4, method="inclusive")[2]
