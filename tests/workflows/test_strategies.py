"""Every strategy's own course: what is written, in which order, what a person can still stop."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from proof.stand_ins import Gate
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.progress import EndState, Result, State, StepState
from rollback_manager.release import Standing
from tests.rig import Rig, release, with_policy

SLICES = [{"v1": 10, "v2": 90}, {"v1": 33, "v2": 67}, {"v1": 66, "v2": 34}, {"v1": 100}]


def of(made: Rig, strategy: str, **policy: object) -> Rig:
    """The same rig, its service deployed in another way."""
    return replace(with_policy(made, **policy), strategy=strategy)


async def test_generic_brings_the_traffic_back_in_slices(unmanned: Rig) -> None:
    made = of(unmanned, "generic")
    made.world.running["v1"] = 0
    async with made.worker():
        rollback = await made.start()
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert made.world.splits[1:] == SLICES
    assert [write.what for write in made.world.ledger] == [
        "v1 × 3",
        *[f"shares {split}" for split in SLICES],
        "v2 × 0",
    ]
    assert min(made.world.carrying) >= 2


async def test_a_slice_that_harms_users_goes_back_to_the_last_good_weights(unmanned: Rig) -> None:
    made = of(unmanned, "generic")
    made.world.after_write = _breaks_at(made, {"v1": 66, "v2": 34})
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert made.world.shares_now == {"v1": 33, "v2": 67}
        assert "check_slice failed" in status.waits_for
        assert "limit 0.10%" in status.waits_for
        made.world.error_ratio.clear()
        await made.answer(rollback, "retry_step", "check_slice")
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert made.world.splits[1:] == [*SLICES[:3], SLICES[1], *SLICES[2:]]
    marks = [write.mark for write in made.world.ledger if write.what.startswith("shares")]
    assert [mark.step for mark in marks] == sorted(mark.step for mark in marks)
    assert len({mark.op_id for mark in marks}) == len(marks)


async def test_a_slice_that_harms_users_can_be_aborted_and_all_is_restored(unmanned: Rig) -> None:
    made = of(unmanned, "generic")
    made.world.after_write = _breaks_at(made, {"v1": 33, "v2": 67})
    async with made.worker():
        rollback = await made.start()
        await made.until(rollback, State.NEEDS_HUMAN)
        await rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
        await made.ends_as(rollback, EndState.RESTORED)
    assert made.world.splits[1:] == [SLICES[0], SLICES[1], SLICES[0], {"v2": 100}]


def _breaks_at(made: Rig, split: dict[str, int]) -> Callable[[str], None]:
    """The good version begins to fail when it gets so much for the first time."""

    def look(_: str) -> None:
        if made.world.shares_now == split and made.world.splits.count(split) == 1:
            made.world.error_ratio["v1"] = 0.2

    return look


async def test_an_unfinished_canary_goes_at_once(unmanned: Rig) -> None:
    made = of(unmanned, "canary")
    made.world.shares_now = {"v1": 90, "v2": 10}
    made.world.splits[:] = [{"v1": 90, "v2": 10}]
    made.world.running["v2"] = 1
    async with made.worker():
        outcome = await (await made.start()).result()
    assert outcome.result is Result.VERIFIED, outcome
    assert [write.what for write in made.world.ledger] == ["shares {'v1': 100}", "v2 × 0"]


async def test_a_finished_canary_comes_back_in_slices(unmanned: Rig) -> None:
    made = of(unmanned, "canary")
    async with made.worker():
        await made.ends_as(await made.start(), EndState.ROLLED_BACK)
    assert made.world.splits[1:] == SLICES


async def test_a_rolling_way_back_replaces_batch_by_batch(unmanned: Rig) -> None:
    made = of(unmanned, "rolling_update")
    made.world.running["v1"] = 0
    async with made.worker():
        rollback = await made.start()
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [write.what for write in made.world.ledger] == [
        "v1 × 1",
        "shares {'v1': 33, 'v2': 67}",
        "v2 × 2",
        "v1 × 2",
        "shares {'v1': 66, 'v2': 34}",
        "v2 × 1",
        "v1 × 3",
        "shares {'v1': 100}",
        "v2 × 0",
    ]
    assert min(made.world.carrying) >= 3


async def test_a_batch_that_does_not_get_ready_takes_nothing_away(unmanned: Rig) -> None:
    made = of(unmanned, "rolling_update")
    made.world.running["v1"], made.world.not_ready["v1"] = 0, 4
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "prepare inconclusive" in status.waits_for
        assert "(v1 0 %, 0 ready; v2 100 %, 3 ready)" in status.waits_for
        await rollback.abort(AbortCommand(by="anna"))
        await rollback.result()
    assert made.world.shares_now == {"v2": 100}
    assert made.world.running["v2"] == 3


@pytest.mark.parametrize("batch", [1, 2])
async def test_a_rolling_way_back_is_restored_from_any_batch(unmanned: Rig, batch: int) -> None:
    made = of(unmanned, "rolling_update")
    made.world.running["v1"] = 0
    left = {1: 2, 2: 1}[batch]
    reached = Gate("scale")

    def holds(name: str) -> None:
        if made.world.running["v2"] == left:
            reached(name)

    made.world.after_write = holds
    async with made.worker():
        rollback = await made.start()
        await made.step_runs("stop_batch")
        while not reached.reached.is_set():
            await made.step_runs("stop_batch")
        await rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
        await made.told("abort")
        reached.open()
        await made.ends_as(rollback, EndState.RESTORED)
    undone = [write.what for write in made.world.ledger][-2:]
    assert undone == ["v2 × 3", "shares {'v2': 100}"]
    assert min(made.world.carrying) >= 3


async def test_a_dead_side_gets_no_more_and_the_evidence_of_both_is_shown(unmanned: Rig) -> None:
    made = of(unmanned, "generic")

    def dies(_: str) -> None:
        if made.world.shares_now == SLICES[0]:
            made.world.not_ready["v1"] = 3

    made.world.after_write = dies
    made.world.running["v1"] = 0
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "v1 is dead (v1 10 → 33 %, 0 ready" in status.waits_for
        assert "v2 90 → 67 %, 3 ready" in status.waits_for
        assert made.world.shares_now == SLICES[0]
        made.world.not_ready.clear()
        await made.answer(rollback, "retry_step", "redirect_traffic")
        await made.ends_as(rollback, EndState.ROLLED_BACK)


async def candidates(made: Rig, attempts: int) -> Rig:
    """v0 and older behind v1, all defined; how many are tried without asking."""
    other = of(made, "blue_green", further_attempts=attempts)
    for version, age in (("v0", 120), ("v00", 180)):
        made.records.save_release("test", made.service, release(version, Standing.VERIFIED, age))
        made.world.running[version] = 0
    return other


async def test_users_who_are_not_well_go_on_to_the_next_older_version(unmanned: Rig) -> None:
    made = await candidates(unmanned, 2)
    made.world.error_ratio["v1"] = 0.3
    async with made.worker():
        outcome = await (await made.start()).result()
    (service,) = outcome.services
    assert (outcome.result, service.end, service.version) == (
        Result.VERIFIED,
        EndState.ROLLED_BACK,
        "v0",
    )
    assert made.world.splits[1:] == [{"v1": 100}, {"v0": 100}]
    assert {v: n for v, n in made.world.running.items() if n} == {"v0": 3}
    assert "v1 failed its verification: v0 is tried" in " ".join(service.halts)


async def test_no_candidate_is_tried_twice_and_the_least_bad_serves(unmanned: Rig) -> None:
    made = await candidates(unmanned, 2)
    made.world.error_ratio |= {"v1": 0.3, "v0": 0.1, "v00": 0.2}
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert made.world.splits[1:] == [{"v1": 100}, {"v0": 100}, {"v00": 100}, {"v0": 100}]
        assert "v0 serves as the least bad" in status.waits_for
        made.world.error_ratio.clear()
        await made.answer(rollback, "retry_step", "verify")
        await made.until(rollback, lambda s: s.state in {State.NEEDS_HUMAN, State.FINISHED})
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await rollback.result()
    assert outcome.services[0].version == "v0"
    assert made.world.shares_now == {"v0": 100}


async def test_without_a_policy_for_it_the_next_version_is_only_offered(unmanned: Rig) -> None:
    made = await candidates(unmanned, 0)
    made.world.error_ratio["v1"] = 0.3
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "next older verified release: v0" in status.waits_for
        assert made.world.shares_now == {"v1": 100}
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await rollback.result()
    assert outcome.services[0].steps[-1].state is StepState.FAILED
