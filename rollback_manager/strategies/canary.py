"""Canary: the stable side still carries most of the load. Take the canary's share, then stop it.

An unfinished canary is warm, so its share goes back at once. One that has all the traffic is
finished: the stable side is cold, and traffic comes back in slices.
"""

from rollback_manager import actions, without_shares
from rollback_manager.moves import FOLLOWS, Moves
from rollback_manager.plan import Phase, Risk
from rollback_manager.strategies import RiskLevel, ServiceFacts, Strategy


def phases(facts: ServiceFacts) -> tuple[Phase, ...]:
    """Carry the full load → weight of the canary to 0 → drain it → prove → stop the canary."""
    if facts.moves in FOLLOWS:
        return without_shares.phases(facts)
    good, bad, desired, policy = facts.good, facts.bad, facts.desired, facts.policy
    running = facts.bad_instances or desired
    return (
        Phase(name="carry the full load", actions=(actions.carry(good, desired, policy),)),
        *_return(facts),
        Phase(name="drain the canary", actions=(actions.drain(bad, policy),)),
        Phase(
            name="prove the stable side under the full load",
            actions=(actions.prove(good, desired, policy),),
        ),
        Phase(name="stop the canary", actions=(actions.remove(bad, good, running, policy),)),
    )


def _return(facts: ServiceFacts) -> tuple[Phase, ...]:
    good = facts.good
    if facts.shares.get(good, 0) == 0:
        return actions.slices(good, facts.shares, facts.policy)
    shift = actions.shift(good, {good: 100}, facts.shares, facts.policy)
    return (Phase(name="weight of the canary to 0", actions=(shift,)),)


STRATEGY = Strategy(
    name="canary",
    phases=phases,
    risk=RiskLevel.LOW,
    automation="full",
    traffic_back_s=60,
    risks=(
        Risk(
            risk="the stable side was scaled for its share, not for all of the load",
            mitigation="it must have its full size, ready and in rotation, before it gets more",
        ),
        Risk(
            risk="users are pinned to the canary and lose their session",
            mitigation="none here: sessions belong in a store that both versions read",
        ),
    ),
    moves=frozenset({Moves.SHARES, Moves.SWITCH, Moves.INSTANCES, Moves.ROLLOUT}),
    not_undone=("data that the canary wrote stays",),
)
