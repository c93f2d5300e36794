"""From facts to a plan: who goes back to what, in which steps, and what that rests on. Pure."""

import statistics
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from rollback_manager import actions, configuration, freezes, gates
from rollback_manager.authority.quorum import Authority
from rollback_manager.candidates import alternatives, usable
from rollback_manager.claim import Claim, purpose_of, target_of
from rollback_manager.contract import RollbackRequest
from rollback_manager.drift import Drift
from rollback_manager.errors import Blocked
from rollback_manager.fleet import together
from rollback_manager.freezes import Freeze
from rollback_manager.gates import BeforeFacts, GateResult
from rollback_manager.guard import floor_for, fraction_for
from rollback_manager.metrics.reading import NoReading, Reading, Snapshot, total
from rollback_manager.moves import WORDS, Moves
from rollback_manager.owners import Owner, said, to_hold
from rollback_manager.plan import Estimate, Found, Phase, Risk, RollbackPlan, ServicePlan
from rollback_manager.policy import Policy
from rollback_manager.release import Release, Standing, Target, known_good
from rollback_manager.strategies import ServiceFacts, Strategy
from rollback_manager.telling.channels import told_by
from rollback_manager.values import Seconds, Value


class Past(Value):
    """How long an earlier rollback took."""

    verified: bool
    traffic_back_s: Seconds | None
    verified_s: Seconds | None
    finished_at: datetime


class PlanningFacts(Value):
    """Everything that planning one service looks at.

    running, ready, digests, notes: by version; notes: why instances do not count, in words.
    snapshot: the counters of now.
    owners: who else writes there; None: nobody can, and nothing is watched afterwards.
    """

    service: str
    strategy: Strategy
    policy: Policy
    releases: tuple[Release, ...]
    shares: dict[str, int]
    running: dict[str, int]
    ready: dict[str, int]
    digests: dict[str, str]
    notes: dict[str, str] = Field(default_factory=dict)
    snapshot: Snapshot
    past: tuple[Past, ...]
    now: datetime
    moves: Moves = Moves.SHARES
    current: str = ""
    """The version that its one controller brings up; empty where each version has its own."""
    adopted: Claim | None = None
    place: str = ""
    drift: Drift | None = None
    """Since the target was recorded; None where nothing else was frozen of it."""
    preconditions: tuple[GateResult, ...] = ()
    """Of the platform on which it runs."""
    owners: tuple[Owner, ...] | None = None
    frozen: tuple[Freeze, ...] = ()
    """What holds for the service now; the way back passes, unless one of them says otherwise."""


def bad_version(facts: PlanningFacts) -> str:
    """The version to undo: the one that has the traffic.

    Where several have some (a canary, or what an aborted rollback left) it is the one that is not
    verified; the largest share says nothing about who is bad. Where another rollback is gone on
    with, the traffic says nothing at all: it may have been shifted already. Where one controller
    brings a version up that is not verified it is that one: its pods may never have got ready.
    """
    if facts.adopted is not None:
        return purpose_of(facts.adopted, facts.shares).from_version
    carrying = sorted(version for version, part in facts.shares.items() if part)
    verified = {r.version for r in facts.releases if r.standing is Standing.VERIFIED}
    if facts.moves is Moves.CONTROLLER and facts.current and facts.current not in verified:
        return facts.current
    suspects = carrying if len(carrying) == 1 else [v for v in carrying if v not in verified]
    if len(suspects) == 1:
        return suspects[0]
    split = ", ".join(f"{v} {facts.shares[v]} %" for v in carrying)
    if not carrying:
        what = f"{facts.service} gets no traffic at all: there is no release to roll back"
    else:
        what = f"which release is bad? Traffic: {split}; not verified: {suspects or 'none'}"
    raise Blocked(
        what,
        effect="Production is unchanged.",
        next_step="Record what you know: rollback-manager releases mark SERVICE VERSION verified",
    )


def plan_service(facts: PlanningFacts, wanted: str | None) -> ServicePlan:
    """The plan for one service, or Blocked with what stands in its way."""
    _must_be_movable(facts)
    bad = bad_version(facts)
    wanted = target_of(facts.adopted, wanted) if facts.adopted else wanted
    target = known_good(_others(facts, bad), bad, wanted)
    good = target.release
    _must_be_the_same(facts, good)
    at_release = good.restore_point.instances if good.restore_point else 1
    serving = facts.running.get(good.version, 0) if facts.shares.get(good.version) else 0
    desired = max(1, facts.running.get(bad, 0), at_release, serving)
    own = ServiceFacts(
        good=good.version,
        bad=bad,
        desired=desired,
        good_instances=facts.running.get(good.version, 0),
        bad_instances=facts.running.get(bad, 0),
        shares=facts.shares,
        policy=_policy(facts),
        moves=facts.moves,
    )
    others = usable(_others(facts, bad), good, bad, facts.digests)
    return ServicePlan(
        service=facts.service,
        strategy=facts.strategy.name,
        from_version=bad,
        from_digest=facts.digests.get(bad, "unknown"),
        to_version=good.version,
        to_digest=good.digest,
        target_because=_because(target),
        desired=desired,
        floor=floor_for(desired, fraction_for(desired, facts.policy)),
        phases=(*_held(facts, own), *facts.strategy.phases(own)),
        policy=own.policy,
        baseline=good.baseline,
        not_undone=facts.strategy.not_undone,
        alternatives=alternatives(facts.strategy, own, others, facts.running),
        offered=others[0].version if others else "",
        adopts=facts.adopted.rollback if facts.adopted else "",
        place=facts.place,
        owners=said(facts.owners or (), good.version),
        stays=facts.owners is not None,
    )


def _held(facts: PlanningFacts, own: ServiceFacts) -> tuple[Phase, ...]:
    """Before the first write: who would take it back must not be able to."""
    owners = to_hold(facts.owners or (), own.good)
    if not owners:
        return ()
    action = actions.hold(owners, own.desired, facts.policy)
    return (Phase(name="hold who would take it back", actions=(action,)),)


def _must_be_movable(facts: PlanningFacts) -> None:
    if facts.moves in facts.strategy.moves:
        return
    raise Blocked(
        f"{facts.strategy.name} cannot take {facts.service} back: its traffic {WORDS[facts.moves]}",
        effect="Production is unchanged.",
        next_step="Name a strategy that can, or another `traffic`, in the catalogue.",
    )


def _policy(facts: PlanningFacts) -> Policy:
    """Traffic that is switched all at once has one slice."""
    if facts.moves is not Moves.SWITCH:
        return facts.policy
    slices = facts.policy.slices.model_copy(update={"percents": (100,)})
    return facts.policy.model_copy(update={"slices": slices})


def _others(facts: PlanningFacts, bad: str) -> list[Release]:
    """Releases without those that are the bad one under another name."""
    digest = facts.digests.get(bad)
    return [r for r in facts.releases if r.version == bad or r.digest != digest]


def _must_be_the_same(facts: PlanningFacts, good: Release) -> None:
    defined = facts.digests.get(good.version)
    if defined is None:
        what = (
            f"{good.version} is {good.standing}, but it is not defined where {facts.service} runs"
        )
    elif defined != good.digest:
        what = (
            f"{good.version} is not what was verified: {defined[:19]} is defined now,"
            f" {good.digest[:19]} was recorded"
        )
    else:
        return
    raise Blocked(
        what,
        effect="Production is unchanged.",
        next_step="Restore its definition, or go to another one: --to VERSION",
    )


def _because(target: Target) -> str:
    evidence = target.release.because or "no evidence was kept"
    return f"{target.because}; verified because {evidence}"


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


def assemble(
    request: RollbackRequest,
    security: str,
    services: tuple[tuple[PlanningFacts, ServicePlan, Found], ...],
    now: datetime,
    *,
    waves: together.Waves = (),
    width: int = 1,
    authority: Authority | None = None,
    channels: tuple[str, ...] = (),
) -> RollbackPlan:
    """The whole plan: all services in the order of their waves; one wave if none are given.

    authority: what it needs; None: what policy and request alone ask for.
    """
    parts = {plan.service: (facts, plan, seen) for facts, plan, seen in services}
    waves = waves or (tuple(sorted(parts)),)
    ordered = [parts[name] for wave in waves for name in wave]
    plans = tuple(plan for _, plan, _ in ordered)
    policies = [facts.policy for facts, _, _ in ordered]
    asked = any(must_be_asked(request, facts) for facts, _, _ in ordered)
    asked = asked if authority is None else authority.quorum.votes > 0
    approval = together.approval(policies, asked_for=asked)
    if request.break_glass:
        approval = approval.model_copy(update={"required": False})
    return RollbackPlan(
        env=request.env,
        security=security,
        services=plans,
        waves=waves,
        approval=approval,
        time_limit_s=max(policy.time_limit_s for policy in policies),
        plan_valid_s=min(policy.plan_valid_s for policy in policies),
        abort_when=together.abort_when(plans, width),
        done_when=together.done_when(plans),
        risks=together.risks({p.service: _risks(f.strategy, p) for f, p, _ in ordered}),
        gates=together.gates(
            {
                p.service: gates_before(f, p, request, security, channels, asked=asked)
                for f, p, _ in ordered
            }
        ),
        found=tuple(seen for _, _, seen in ordered),
        estimate=together.estimate({p.service: estimate(f) for f, p, _ in ordered}, waves, width),
        made_at=now,
        tier=authority.tiered.tier if authority else None,
        tier_because=authority.tiered.because if authority else "",
        quorum=authority.quorum if authority else None,
        keys=authority.keys if authority else (),
        break_glass=request.requested_by if request.break_glass else "",
        channels=channels,
    ).sealed()


def _risks(strategy: Strategy, plan: ServicePlan) -> tuple[Risk, ...]:
    known = (*strategy.risks, *([configuration.RISK] if configuration.is_restored(plan) else []))
    if plan.baseline is not None:
        return known
    return (
        *known,
        Risk(
            risk=f"no baseline of {plan.to_version} is recorded: latency cannot be judged",
            mitigation="verification will say inconclusive and ask a person",
        ),
    )
