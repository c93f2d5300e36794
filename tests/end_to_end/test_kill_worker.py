"""Workers killed, frozen and cut off change nothing: the same writes once, no user lost.

An ordinary run carries out a fixed sample; `make kill-matrix` all of it.
"""

import pytest

from proof.kill_matrix import without
from proof.kill_matrix.bench import Bench
from proof.kill_matrix.mechanisms import Mechanism
from proof.kill_matrix.oracle import violations
from proof.kill_matrix.points import Fault, Moment, Point
from proof.kill_matrix.run import carry_out

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]

SAMPLE = (
    ("blue_green", 1, "redirect_traffic", Moment.EFFECT, Fault.KILLED),
    ("canary", 4, "clean_up", Moment.RECORDED, Fault.KILLED),
    ("generic", 3, "redirect_traffic", Moment.EFFECT, Fault.LOST),
    ("rolling_update", 2, "stop_batch", Moment.BEFORE, Fault.FROZEN),
)


async def test_the_undisturbed_run_is_right_itself(bench: Bench) -> None:
    account = await bench.reference("blue_green")
    assert violations(account, None) == []
    assert account.planned == ("prepare", "redirect_traffic", "drain", "verify", "clean_up")
    assert [account.attempts(name) for name in account.planned] == [1] * 5


@pytest.mark.parametrize(
    ("strategy", "step", "activity", "moment", "fault"),
    SAMPLE,
    ids=lambda part: part.replace(" ", "_") if isinstance(part, str) else str(part),
)
async def test_a_disturbed_worker_changes_nothing(
    bench: Bench, strategy: str, step: int, activity: str, moment: Moment, fault: Fault
) -> None:
    point = Point(strategy=strategy, step=step, activity=activity, moment=moment, fault=fault)
    run = await carry_out(bench, point, compared=strategy == "blue_green")
    assert run.violations == []


@pytest.mark.whole_matrix
@pytest.mark.parametrize("mechanism", Mechanism)
async def test_a_mechanism_that_is_taken_out_is_missed(bench: Bench, mechanism: Mechanism) -> None:
    assert await without.judged(bench, mechanism, without=False) == []
    assert await without.judged(bench, mechanism, without=True) != []
