"""Targets that lie, answer late or refuse: told clearly, and nothing is lost or done in silence."""

from dataclasses import replace

import pytest

from proof.stand_ins import FailsAtFirst, Gate, StandInService
from rollback_manager.contract import AbortCommand, AbortMode
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.operation import Mark
from rollback_manager.progress import EndState, Result, State
from tests.rig import Rig


class Liar(StandInService):
    """Says that it has shifted, and goes on sending everybody to the old version."""

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        super().set_shares(shares, mark, seen)
        self.lies = True

    def snapshot(self, max_age_s=0.0):  # type: ignore[no-untyped-def] # as its base
        if not getattr(self, "lies", False):
            return super().snapshot()
        set_now, self.shares_now = self.shares_now, {"v2": 100}
        try:
            return super().snapshot()
        finally:
            self.shares_now = set_now


async def test_a_target_that_says_shifted_and_is_not_is_found_out(unmanned: Rig) -> None:
    world = Liar(shares_now={"v2": 100}, running={"v1": 3, "v2": 3})
    made = replace(unmanned, world=world)
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "redirect_traffic inconclusive" in status.waits_for
        assert "≥ 99% on v1 was not measured" in status.waits_for
        assert world.running["v2"] == 3, "nothing is taken from whom users still meet"
        await rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
        outcome = await rollback.result()
    assert outcome.services[0].end is EndState.RESTORED


async def test_a_target_that_answers_late_is_waited_for_and_written_once(unmanned: Rig) -> None:
    unmanned.world.late_looks = 12
    async with unmanned.worker():
        await unmanned.ends_as(await unmanned.start(), EndState.ROLLED_BACK)
    assert [write.what for write in unmanned.world.ledger] == ["shares {'v1': 100}", "v2 × 0"]


async def test_a_write_whose_answer_is_lost_is_not_made_twice(unmanned: Rig) -> None:
    lost = Unreachable("the answer was lost")
    unmanned.world.after_write = FailsAtFirst("set_shares", lost, 1)
    async with unmanned.worker():
        await unmanned.ends_as(await unmanned.start(), EndState.ROLLED_BACK)
    assert [write.what for write in unmanned.world.ledger] == ["shares {'v1': 100}", "v2 × 0"]


@pytest.mark.parametrize("mode", AbortMode)
async def test_a_target_that_refuses_one_of_three_writes_leaves_a_declared_mixture(
    unmanned: Rig, mode: AbortMode
) -> None:
    made = replace(unmanned, strategy="generic")
    refuses = FailsAtFirst("set_shares", PermanentError("403: not yours"), 1)

    def second_write(name: str) -> None:
        if len(made.world.splits) == 3:
            refuses(name)

    made.world.before_write = second_write
    async with made.worker():
        rollback = await made.start()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "redirect_traffic failed: 403: not yours" in status.waits_for
        assert status.services[0].mixture == {"v1": 33, "v2": 67}
        await rollback.abort(AbortCommand(mode=mode, by="anna"))
        end = EndState.MIXED if mode is AbortMode.HOLD else EndState.RESTORED
        outcome = await made.ends_as(rollback, end)
    assert outcome.result is Result.ABORTED


async def test_a_write_that_hangs_past_its_heartbeat_still_has_one_effect(unmanned: Rig) -> None:
    unmanned.world.before_write = gate = Gate("set_shares")
    async with unmanned.worker():
        rollback = await unmanned.start()
        await unmanned.step_failed_once("redirect_traffic")
        gate.open()
        await unmanned.ends_as(rollback, EndState.ROLLED_BACK)
    effects = [write.what for write in unmanned.world.ledger if write.changed]
    assert effects == ["shares {'v1': 100}", "v2 × 0"]
