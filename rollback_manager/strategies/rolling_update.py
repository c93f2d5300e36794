"""Rolling update: one set of instances, replaced batch by batch, old ones in before new ones go.

Capacity never falls: a batch of the good version is ready and has its traffic before a batch of the
bad one drains and stops. The last batch of the bad version goes only when users were proven well.
"""

from collections.abc import Iterator

from rollback_manager import actions, without_shares
from rollback_manager.moves import FOLLOWS, Moves
from rollback_manager.plan import Phase, Risk
from rollback_manager.strategies import RiskLevel, ServiceFacts, Strategy


def phases(facts: ServiceFacts) -> tuple[Phase, ...]:
    """Per batch: start old → take load → stop new; then drain, prove, remove the last batch."""
    if facts.moves in FOLLOWS:
        return without_shares.phases(facts)
    good, bad, policy = facts.good, facts.bad, facts.policy
    prove = actions.prove(good, facts.desired, policy)
    return (
        *_batches(facts),
        Phase(name="prove that users are well", actions=(prove,)),
        Phase(
            name="remove the last batch",
            actions=(actions.remove(bad, good, batch_size(facts), policy),),
        ),
    )


def _batches(facts: ServiceFacts) -> Iterator[Phase]:
    good, bad, desired, policy = facts.good, facts.bad, facts.desired, facts.policy
    before = {version: part for version, part in facts.shares.items() if part}
    sizes = [n for n in _sizes(facts) if n == desired or _share(n, facts) > before.get(good, 0)]
    left = facts.bad_instances or desired
    for number, instances in enumerate(sizes, 1):
        after = actions.split(good, _share(instances, facts), before)
        begin = (
            actions.carry(good, instances, policy),
            actions.shift(good, after, before, policy),
        )
        last = instances == desired
        rest = desired - instances
        end = (
            actions.drain(bad, policy)
            if last
            else actions.stop_batch(bad, good, rest, max(left, rest), policy)
        )
        yield Phase(name=f"batch {number} of {len(sizes)}", actions=(*begin, end))
        before, left = after, rest


def batch_size(facts: ServiceFacts) -> int:
    """Instances replaced at once: at most the policy's fraction, and at least one."""
    return max(1, int(facts.policy.batch_fraction * facts.desired))


def _sizes(facts: ServiceFacts) -> list[int]:
    """Instances of the good version after each batch; the last is all of them."""
    return [*range(batch_size(facts), facts.desired, batch_size(facts)), facts.desired]


def _share(instances: int, facts: ServiceFacts) -> int:
    """Whole percents, rounded down: the good version is never asked for more than it can carry."""
    return 100 * instances // facts.desired


STRATEGY = Strategy(
    name="rolling_update",
    phases=phases,
    risk=RiskLevel.MEDIUM,
    automation="full",
    traffic_back_s=900,
    risks=(
        Risk(
            risk="there must be room for one batch more than the service has",
            mitigation="a batch that does not get ready stops the rollback with nothing taken away",
        ),
        Risk(
            risk="both versions serve side by side until the last batch",
            mitigation="every surface shows the mixture for as long as it exists",
        ),
        Risk(
            risk="an instance that stops at once cuts its requests",
            mitigation="it must leave the rotation on its stop signal and answer what it has",
        ),
    ),
    moves=frozenset({Moves.SHARES, Moves.INSTANCES, Moves.CONTROLLER, Moves.ROLLOUT}),
    not_undone=("data that the bad version wrote stays",),
)
