"""The plan for one service: who goes back to what, and in which steps. Pure."""

from rollback_manager import actions
from rollback_manager.candidates import alternatives, usable
from rollback_manager.claim import target_of
from rollback_manager.errors import Blocked
from rollback_manager.guard import floor_for, fraction_for
from rollback_manager.moves import WORDS, Moves
from rollback_manager.owners import said, to_hold
from rollback_manager.plan import Phase, ServicePlan
from rollback_manager.planning.facts import PlanningFacts, bad_version
from rollback_manager.policy import Policy
from rollback_manager.release import Release, Target, known_good
from rollback_manager.strategies import ServiceFacts


def plan_service(facts: PlanningFacts, wanted: str | None) -> ServicePlan:
    """The plan for one service, or Blocked with what stands in its way."""
    _must_be_movable(facts)
    bad = bad_version(facts)
    target = _target(facts, bad, wanted)
    good = target.release
    own = _in_short(facts, good, bad)
    others = usable(_others(facts, bad), good, bad, facts.digests)
    return ServicePlan(
        service=facts.service,
        strategy=facts.strategy.name,
        from_version=bad,
        from_digest=facts.digests.get(bad, "unknown"),
        to_version=good.version,
        to_digest=good.digest,
        target_because=_because(target),
        desired=own.desired,
        floor=floor_for(own.desired, fraction_for(own.desired, facts.policy)),
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


def _must_be_movable(facts: PlanningFacts) -> None:
    if facts.moves in facts.strategy.moves:
        return
    raise Blocked(
        f"{facts.strategy.name} cannot take {facts.service} back: its traffic {WORDS[facts.moves]}",
        effect="Production is unchanged.",
        next_step="Name a strategy that can, or another `traffic`, in the catalogue.",
    )


def _target(facts: PlanningFacts, bad: str, wanted: str | None) -> Target:
    wanted = target_of(facts.adopted, wanted) if facts.adopted else wanted
    target = known_good(_others(facts, bad), bad, wanted)
    _must_be_the_same(facts, target.release)
    return target


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


def _in_short(facts: PlanningFacts, good: Release, bad: str) -> ServiceFacts:
    """What its strategy needs of them."""
    at_release = good.restore_point.instances if good.restore_point else 1
    running = facts.running.get(good.version, 0)
    serving = running if facts.shares.get(good.version) else 0
    return ServiceFacts(
        good=good.version,
        bad=bad,
        desired=max(1, facts.running.get(bad, 0), at_release, serving),
        good_instances=running,
        bad_instances=facts.running.get(bad, 0),
        shares=facts.shares,
        policy=_policy(facts),
        moves=facts.moves,
    )


def _policy(facts: PlanningFacts) -> Policy:
    """Traffic that is switched all at once has one slice."""
    if facts.moves is not Moves.SWITCH:
        return facts.policy
    slices = facts.policy.slices.model_copy(update={"percents": (100,)})
    return facts.policy.model_copy(update={"slices": slices})


def _held(facts: PlanningFacts, own: ServiceFacts) -> tuple[Phase, ...]:
    """Before the first write: who would take it back must not be able to."""
    owners = to_hold(facts.owners or (), own.good)
    if not owners:
        return ()
    action = actions.hold(owners, own.desired, facts.policy)
    return (Phase(name="hold who would take it back", actions=(action,)),)


def _because(target: Target) -> str:
    evidence = target.release.because or "no evidence was kept"
    return f"{target.because}; verified because {evidence}"
