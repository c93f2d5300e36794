"""Blue-green: blue still runs. Let it carry the load, give it the traffic, remove green last.

The seed scales green to 0 before it looks at users; here that is the last phase, because the way
forward and the evidence stay open until users are shown to be well (docs/decisions).
"""

from rollback_manager.plan import Action, Capacity, Drained, Phase, Removed, Risk, Split, Well
from rollback_manager.strategies import RiskLevel, ServiceFacts, Strategy


def phases(facts: ServiceFacts) -> tuple[Phase, ...]:
    """Carry the load → return the traffic → prove that users are well → remove the bad version."""
    return (
        Phase(name="carry the load", actions=(_carry_the_load(facts),)),
        Phase(name="return the traffic", actions=(_shift(facts), _drain(facts))),
        Phase(name="prove that users are well", actions=(_prove(facts),)),
        Phase(name="remove the bad version", actions=(_remove(facts),)),
    )


def _carry_the_load(facts: ServiceFacts) -> Action:
    return Action(
        wanted=Capacity(version=facts.good, instances=facts.desired),
        timeout_s=facts.policy.timeouts.prepare_s,
        check=f"{facts.desired} instances of {facts.good} ready and in the proxy's rotation",
        no_undo_because="more ready instances harm nobody; they stay",
    )


def _shift(facts: ServiceFacts) -> Action:
    share = facts.policy.confirmed_share
    before = facts.shares.get(facts.bad, 0) / 100  # 99 % of what it had: there may be others
    return Action(
        wanted=Split(version=facts.good, shares={facts.good: 100}, at_least=share),
        timeout_s=facts.policy.timeouts.redirect_traffic_s,
        check=f"measured share of {facts.good} ≥ {share:.0%}",
        undo=Split(version=facts.bad, shares=facts.shares, at_least=share * before),
    )


def _drain(facts: ServiceFacts) -> Action:
    return Action(
        wanted=Drained(version=facts.bad),
        timeout_s=facts.policy.timeouts.drain_s,
        check=f"no request in flight on {facts.bad}, read twice",
        no_undo_because="it only waits",
    )


def _prove(facts: ServiceFacts) -> Action:
    return Action(
        wanted=Well(version=facts.good, instances=facts.desired),
        timeout_s=facts.policy.verification.max_window_s + 30,
        check="errors, P95, throughput and journeys as before the bad release",
        no_undo_because="it only reads",
    )


def _remove(facts: ServiceFacts) -> Action:
    keep = facts.policy.keep_instances
    return Action(
        wanted=Removed(version=facts.bad, kept=facts.good, instances=keep),
        timeout_s=facts.policy.timeouts.clean_up_s,
        check=f"{keep} instances of {facts.bad} run; its definition stays",
        undo=Capacity(version=facts.bad, instances=facts.desired),
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
    not_undone=("data that the bad version wrote stays",),
)
