"""The soak: a sample of it in every run of the tests, and that its oracle can fail."""

from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from proof.soak.__main__ import figures, soaked
from proof.soak.drawing import MOST_FAULTS, MOST_SERVICES, STRATEGIES, Drawn, Fault, Trouble, drawn
from proof.soak.oracle import violations
from proof.soak.run import Soaked
from proof.soak.target import Troubled
from rollback_manager.errors import StaleWrite, Unreachable
from rollback_manager.operation import Mark
from rollback_manager.progress import EndState, Found, Result, RollbackOutcome, ServiceOutcome

SAMPLE = (1, 6, 10, 43, 109, 658, 274, 45, 1258)
ONE = Drawn(seed=0, strategies=("blue_green",), desired=4, faults=(), retries=0, restores=False)


@pytest.mark.timeout(240)
async def test_a_sample_of_random_rollbacks_with_faults_holds(
    client: Client, tmp_path: Path
) -> None:
    runs = await soaked(client, tmp_path, SAMPLE, lambda *_: None)
    assert [run.violations for run in runs if run.violations] == []
    assert len(runs) == len(SAMPLE)


def test_a_seed_draws_the_same_rollback_each_time() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_seeds_reach_every_strategy_every_trouble_and_every_size() -> None:
    many = [drawn(seed) for seed in range(500)]
    assert {name for one in many for name in one.strategies} == set(STRATEGIES)
    assert {fault.trouble for one in many for fault in one.faults} == set(Trouble)
    assert {len(one.faults) for one in many} == set(range(MOST_FAULTS + 1))
    assert {len(one.strategies) for one in many} >= {1, 2, MOST_SERVICES}


def fault(trouble: Trouble, write: str = "set_shares", times: int = 1) -> Fault:
    return Fault(trouble=trouble, service=0, after_s=0, times=times, write=write)


def target(*faults: Fault) -> Troubled:
    return Troubled(
        shares_now={"v2": 100}, running={"v1": 4, "v2": 4}, maximum=8, faults=tuple(faults)
    )


def mark(step: int, op_id: str = "", epoch: int = 1) -> Mark:
    return Mark(op_id=op_id or f"op-{step}", epoch=epoch, step=step)


def rolled_back(one: Troubled) -> None:
    one.set_shares({"v1": 100}, mark(1))
    one.scale("v2", 0, mark(4))


def declared(
    end: EndState = EndState.ROLLED_BACK, shares: dict[str, int] | None = None
) -> RollbackOutcome:
    service = ServiceOutcome(
        service="s",
        end=end,
        verified=end is EndState.ROLLED_BACK,
        because="",
        found=Found(shares=shares or {"v1": 100}, ready={"v1": 4}),
    )
    result = Result.VERIFIED if end is EndState.ROLLED_BACK else Result.ABORTED
    return RollbackOutcome(rollback="r", result=result, because="", effect="", services=(service,))


def found(one: Troubled, outcome: RollbackOutcome) -> list[str]:
    return violations(ONE, {"s": one}, {"s": ({"v2": 100}, {"v1": 4, "v2": 4})}, outcome)


def test_nothing_is_found_where_all_is_well() -> None:
    one = target()
    rolled_back(one)
    assert found(one, declared()) == []


def half_and_back(one: Troubled) -> None:
    one.set_shares({"v1": 50, "v2": 50}, mark(1, "op"))
    one.set_shares({"v2": 100}, mark(1, "op"))
    one.set_shares({"v1": 100}, mark(2))


def unfenced(one: Troubled) -> None:
    rolled_back(one)
    one.scale_mark = None
    one.scale("v2", 4, mark(0))


def on_two_instances(one: Troubled) -> None:
    one.scale("v1", 2, mark(0))
    rolled_back(one)


def of_two_epochs(one: Troubled) -> None:
    rolled_back(one)
    one.scale("v2", 0, mark(4, epoch=2))


def not_all_of_it(one: Troubled) -> None:
    one.set_shares({"v1": 90}, mark(0))
    rolled_back(one)


HARM: dict[str, tuple[str, Callable[[Troubled], None], RollbackOutcome]] = {
    "an operation with two effects": ("I1", half_and_back, declared()),
    "a late write": ("I6", unfenced, declared()),
    "two epochs": ("I6", of_two_epochs, declared()),
    "a shift onto two of four instances": ("I2", on_two_instances, declared()),
    "a split that does not sum to 100": ("I3", not_all_of_it, declared()),
    "declared rolled back, and nothing was done": ("I3", lambda _: None, declared()),
    "declared restored, and it was not": (
        "I3",
        rolled_back,
        declared(EndState.RESTORED, {"v2": 100}),
    ),
    "found what is not there": ("I3", rolled_back, declared(EndState.MIXED, {"v2": 100})),
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_seen(harm: str) -> None:
    invariant, done, outcome = HARM[harm]
    one = target()
    done(one)
    told = found(one, outcome)
    assert any(words.startswith(f"{invariant}:") for words in told), told


def test_a_service_that_is_not_told_of_is_missed() -> None:
    targets, initial = {"s": target(), "t": target()}, ({"v2": 100}, {"v1": 4, "v2": 4})
    rolled_back(targets["s"])
    told = violations(ONE, targets, {"s": initial, "t": initial}, declared())
    assert told == ["I10: t is not told of"]


def test_a_lie_is_told_and_not_done() -> None:
    one = target(fault(Trouble.LIE))
    one.set_shares({"v1": 100}, mark(1))
    assert one.shares().shares == {"v1": 100}
    assert one.truth[0] == {"v2": 100}
    assert any(words.startswith("I3:") for words in found(one, declared()))


def test_a_lost_answer_is_that_of_a_write_that_landed() -> None:
    one = target(fault(Trouble.LOST_ANSWER))
    with pytest.raises(Unreachable):
        one.set_shares({"v1": 100}, mark(1))
    assert one.truth[0] == {"v1": 100}


def test_a_refused_write_did_not_land() -> None:
    one = target(fault(Trouble.REFUSED))
    with pytest.raises(Unreachable):
        one.set_shares({"v1": 100}, mark(1))
    assert one.truth[0] == {"v2": 100}


def test_a_target_compares_marks_as_real_ones_do() -> None:
    one = target()
    one.set_shares({"v1": 100}, mark(2))
    with pytest.raises(StaleWrite):
        one.set_shares({"v2": 100}, mark(1))


def test_the_figures_name_what_was_violated_with_its_seed() -> None:
    runs = [Soaked(drawn(3), "verified", (), 1.0), Soaked(drawn(4), "no end", ("I10: x",), 1.0)]
    told = figures(runs, [3, 4], 2.0)
    assert told["runs"] == 2
    assert told["violations"] == [{"run": str(drawn(4)), "seed": 4, "because": ["I10: x"]}]
