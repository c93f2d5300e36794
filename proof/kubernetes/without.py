"""Each mechanism taken out once: the same fault, with it and without it, before the same oracle."""

from collections.abc import Sequence

from proof.kill_matrix.points import Fault, Moment, Point
from proof.kubernetes.bench import Bench
from proof.kubernetes.mechanisms import Mechanism
from proof.kubernetes.oracle import harm
from proof.kubernetes.placement import BATCHES
from proof.kubernetes.run import disturbed
from rollback_manager.errors import RollbackError

POINT = Point(
    strategy="rolling_update",
    step=2,
    activity="stop_batch",
    moment=Moment.BEFORE,
    fault=Fault.FROZEN,
    seed=4,
)
"""Two of the bad version's pods are to stop. The write is under way when its worker freezes, and
arrives when another one has stopped all four: it would start two of them again."""


async def judged(bench: Bench, mechanism: Mechanism, *, without: bool) -> Sequence[str]:
    """What the oracle says of it."""
    try:
        async with bench.case(BATCHES) as case:
            case.without = mechanism if without else ""
            account = await disturbed(case, POINT)
            assert "PATCH" in account.struck, account.struck
            return harm(account)
    except (AssertionError, TimeoutError, RollbackError) as error:
        return [f"M: it did not come to its end: {error}"]
