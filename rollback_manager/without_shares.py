"""Ways back where nobody splits the traffic: it goes to the instances that are there. Pure.

The order is that of every strategy, with the shift seen instead of made.
"""

from rollback_manager import actions
from rollback_manager.moves import REPLACES, Moves
from rollback_manager.plan import Action, Capacity, Phase, Split
from rollback_manager.strategies import ServiceFacts

_HOW = {
    Moves.CONTROLLER: "its controller replaces the others batch by batch",
    Moves.ROLLOUT: (
        "an unfinished update is aborted and its template taken back; else the old template is"
        " promoted in full, past the Rollout's own steps, pauses and analyses: the way back is"
        " verified here"
    ),
}


def phases(facts: ServiceFacts) -> tuple[Phase, ...]:
    """Put the old version back → see the traffic on it → prove that users are well."""
    begin = _replaced(facts) if facts.moves in REPLACES else _relieved(facts)
    good, bad, policy = facts.good, facts.bad, facts.policy
    prove = actions.prove(good, facts.desired, policy)
    return (
        *begin,
        Phase(
            name="see the traffic on the old version",
            actions=(_seen(facts), actions.drain(bad, policy)),
        ),
        Phase(name="prove that users are well", actions=(prove,)),
    )


def _replaced(facts: ServiceFacts) -> tuple[Phase, ...]:
    """One controller has one version at a time: it replaces the instances, batch by batch."""
    carry = actions.carry(facts.good, facts.desired, facts.policy)
    back = Capacity(version=facts.bad, instances=facts.bad_instances or facts.desired)
    check = f"{carry.check}; {_HOW[facts.moves]}"
    action = carry.model_copy(update={"check": check, "undo": back, "no_undo_because": ""})
    return (Phase(name="put the old version back", actions=(action,)),)


def _relieved(facts: ServiceFacts) -> tuple[Phase, ...]:
    """The old version can carry everything before the bad one stops."""
    good, bad, policy = facts.good, facts.bad, facts.policy
    running = facts.bad_instances or facts.desired
    stop = actions.stop_batch(bad, good, policy.keep_instances, running, policy)
    return (
        Phase(name="carry the load", actions=(actions.carry(good, facts.desired, policy),)),
        Phase(name="stop the bad version", actions=(stop,)),
    )


def _seen(facts: ServiceFacts) -> Action:
    good, policy = facts.good, facts.policy
    at_least = actions.measurable(100, policy)
    return Action(
        wanted=Split(version=good, shares={good: 100}, at_least=at_least),
        timeout_s=policy.timeouts.redirect_traffic_s,
        check=f"measured share of {good} ≥ {at_least:.0%}",
        no_undo_because="the traffic follows the instances",
    )
