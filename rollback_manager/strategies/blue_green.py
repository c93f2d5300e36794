"""Blue-green: blue still runs. Let it carry the load, give it the traffic, remove green last.

The seed scales green to 0 before it looks at users; here that is the last phase, because the way
forward and the evidence stay open until users are shown to be well (docs/decisions).
"""

from rollback_manager import actions, without_shares
from rollback_manager.moves import FOLLOWS, Moves
from rollback_manager.plan import Phase, Risk
from rollback_manager.strategies import RiskLevel, ServiceFacts, Strategy


def phases(facts: ServiceFacts) -> tuple[Phase, ...]:
    """Carry the load → return the traffic → prove that users are well → remove the bad version."""
    if facts.moves in FOLLOWS:
        return without_shares.phases(facts)
    good, bad, desired, policy = facts.good, facts.bad, facts.desired, facts.policy
    shift = actions.shift(good, {good: 100}, facts.shares, policy)
    return (
        Phase(name="carry the load", actions=(actions.carry(good, desired, policy),)),
        Phase(name="return the traffic", actions=(shift, actions.drain(bad, policy))),
        Phase(name="prove that users are well", actions=(actions.prove(good, desired, policy),)),
        Phase(name="remove the bad version", actions=(actions.remove(bad, good, desired, policy),)),
    )


STRATEGY = Strategy(
    name="blue_green",
    phases=phases,
    risk=RiskLevel.VERY_LOW,
    automation="full",
    traffic_back_s=60,
    risks=(
        Risk(
            risk="both share a database: what the bad one wrote, the good one may not read",
            mitigation="verification reads answers of the good version before anything is removed",
        ),
        Risk(
            risk="the good version was idle and is cold",
            mitigation="its instances must be ready and in the proxy's rotation before the shift",
        ),
    ),
    moves=frozenset({Moves.SHARES, Moves.SWITCH, Moves.ROLLOUT}),
    not_undone=("data that the bad version wrote stays",),
)
