"""Generic: how this service is deployed is not known. Deploy the previous version, in slices.

The seed redirects the traffic first and deploys then, which leaves users without anything where
there is no second set of instances; here the good version carries the load before it gets any.
"""

from rollback_manager import actions, without_shares
from rollback_manager.moves import FOLLOWS, Moves
from rollback_manager.plan import Phase, Risk
from rollback_manager.strategies import RiskLevel, ServiceFacts, Strategy


def phases(facts: ServiceFacts) -> tuple[Phase, ...]:
    """Deploy the previous version → restore traffic in slices → drain → prove → clean up."""
    if facts.moves in FOLLOWS:
        return without_shares.phases(facts)
    good, bad, desired, policy = facts.good, facts.bad, facts.desired, facts.policy
    return (
        Phase(name="deploy the previous version", actions=(actions.carry(good, desired, policy),)),
        *actions.slices(good, facts.shares, policy),
        Phase(name="drain", actions=(actions.drain(bad, policy),)),
        Phase(name="prove that users are well", actions=(actions.prove(good, desired, policy),)),
        Phase(name="clean up", actions=(actions.remove(bad, good, desired, policy),)),
    )


STRATEGY = Strategy(
    name="generic",
    phases=phases,
    risk=RiskLevel.MEDIUM,
    automation="full",
    traffic_back_s=900,
    risks=(
        Risk(
            risk="the good version is cold: caches, connections, compiled code",
            mitigation="traffic comes back in slices; one that harms users goes back at once",
        ),
        Risk(
            risk="both versions serve side by side for minutes",
            mitigation="the plan says so; a shared schema must allow it",
        ),
    ),
    moves=frozenset(Moves),
    not_undone=("data that the bad version wrote stays",),
)
