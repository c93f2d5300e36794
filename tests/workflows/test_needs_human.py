"""A step that fails for good or cannot tell: it says so, waits, and does what a person answers."""

import pytest

from proof.stand_ins import FailsAtFirst
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, AbortMode, StepCommand
from rollback_manager.errors import PermanentError
from rollback_manager.progress import EndState, Result, RollbackStatus, State
from tests.rig import Rig

UNTIL_IT_IS_TOLD = 10_000
REFUSED = PermanentError("the program is not known to supervisord")
BRIEFLY: dict[str, object] = {"min_window_s": 0, "max_window_s": 0.6, "throughput_floor": 0}


async def halted(made: Rig, **request: object) -> tuple[Rollback, RollbackStatus]:
    """A rollback that waits for a person, on the parent's page too."""
    rollback = await made.start(**request)
    status = await made.until(rollback, State.NEEDS_HUMAN)
    await made.until_listed_as(rollback, "needs_human")
    return rollback, status


async def test_a_step_that_fails_for_good_is_tried_again_when_told(made: Rig) -> None:
    made.world.before_write = FailsAtFirst("set_shares", REFUSED, 1)
    rollback, status = await halted(made)
    assert status.waits_for == (
        "redirect_traffic failed: the program is not known to supervisord."
        " Send retry_step, skip_step or abort"
    )
    assert (await made.answer(rollback, "retry_step", "redirect_traffic")).applied
    outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert outcome.services[0].halts == (
        "redirect_traffic failed: the program is not known to supervisord",
    )
    assert outcome.services[0].commands == ("retry_step redirect_traffic by anna: mended",)


async def test_the_guard_refuses_a_dead_side_until_it_lives(made: Rig) -> None:
    made.world.running["v1"] = 0
    made.world.before_write = FailsAtFirst("scale", REFUSED, 1)
    rollback, _ = await halted(made)
    assert (await made.answer(rollback, "skip_step", "prepare")).applied
    status = await made.until(rollback, lambda status: "redirect" in status.waits_for)
    assert "the guard forbids it: v1 is dead" in status.waits_for
    assert not made.world.ledger
    made.world.running["v1"] = 3
    assert (await made.answer(rollback, "retry_step", "redirect_traffic")).applied
    outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def test_the_guard_refuses_a_split_that_somebody_else_changed(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        made.world.shares_now = {"v1": 50, "v2": 50}
        await made.approve(rollback)
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "somebody else changed it" in status.waits_for
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await made.ends_as(rollback, EndState.MIXED)
    assert outcome.effect == "Production is MIXED: act now."
    assert not made.world.ledger


async def test_without_traffic_a_check_cannot_tell_and_asks(unmanned: Rig) -> None:
    async with unmanned.at_work(verification=BRIEFLY, confirmed_requests=0) as made:
        made.world.requests_per_look = 0
        rollback, status = await halted(made)
        assert status.waits_for.startswith("verify inconclusive: error_ratio: 0 of 0 requests")
        made.world.requests_per_look = 10_000
        assert (await made.answer(rollback, "retry_step", "verify")).applied
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


async def test_a_good_version_that_fails_users_is_not_verified_and_not_cleaned_up(
    made: Rig,
) -> None:
    made.world.error_ratio["v1"] = 0.2
    rollback, status = await halted(made)
    assert "verify failed: error_ratio: 2000 of 10000 requests failed" in status.waits_for
    assert made.world.running["v2"] == 3
    await rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
    outcome = await made.ends_as(rollback, EndState.RESTORED)
    assert outcome.result is Result.ABORTED


async def test_a_skipped_verification_is_never_called_verified(made: Rig) -> None:
    made.world.journeys_fail = True
    rollback, _ = await halted(made)
    assert (await made.answer(rollback, "skip_step", "verify")).applied
    outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.NOT_VERIFIED
    assert not outcome.services[0].verified
    status = await made.child_status()
    assert [str(s.state) for s in status.steps] == ["done", "done", "done", "skipped", "done"]
    assert made.world.running["v2"] == 0


async def test_both_answers_come_as_signals_too(made: Rig) -> None:
    made.world.before_write = FailsAtFirst("scale", REFUSED, UNTIL_IT_IS_TOLD)
    rollback, _ = await halted(made)
    await made.child().signal("retry_step", StepCommand(step="clean_up", by="anna"))
    await made.until(rollback, lambda s: s.state is State.NEEDS_HUMAN and len(_halts(made)) == 2)
    await made.child().signal("skip_step", StepCommand(step="clean_up", by="bob"))
    outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert outcome.services[0].commands == (
        "retry_step clean_up by anna: ",
        "skip_step clean_up by bob: ",
    )
    assert made.world.running["v2"] == 3


def _halts(made: Rig) -> list[int]:
    gate = made.world.before_write
    assert isinstance(gate, FailsAtFirst)
    return [1] * (UNTIL_IT_IS_TOLD - gate.left)


@pytest.mark.parametrize("named", ["verify", "", "nonsense"])
async def test_an_answer_for_another_step_is_refused_in_words(made: Rig, named: str) -> None:
    made.world.before_write = FailsAtFirst("set_shares", REFUSED, 1)
    rollback, _ = await halted(made)
    said = await made.answer(rollback, "skip_step", named)
    assert not said.applied
    assert said.because == f"redirect_traffic waits for a person, not {named}"
    await made.child().signal("skip_step", StepCommand(step=named, by="eve"))
    await made.told("skip_step")
    assert (await made.until(rollback, State.NEEDS_HUMAN)).state is State.NEEDS_HUMAN
    assert (await made.answer(rollback, "retry_step", "redirect_traffic")).applied
    outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert not any("eve" in command for command in outcome.services[0].commands)


async def test_an_answer_while_no_step_waits_is_refused(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        for named in ("prepare", ""):
            said = await made.answer(rollback, "skip_step", named)
            assert not said.applied
            assert said.because == f"no step waits for a person, not {named}"
        await rollback.abort(AbortCommand(by="anna"))
        await made.ends_as(rollback, EndState.UNTOUCHED)


@pytest.mark.parametrize("mode", AbortMode)
async def test_an_abort_ends_the_wait_for_a_person(made: Rig, mode: AbortMode) -> None:
    made.world.before_write = FailsAtFirst("scale", REFUSED, 1)  # only clean_up scales
    rollback, _ = await halted(made)
    await rollback.abort(AbortCommand(mode=mode, by="anna"))
    end = EndState.ROLLED_BACK if mode is AbortMode.HOLD else EndState.RESTORED
    outcome = await made.ends_as(rollback, end)
    assert outcome.result is Result.ABORTED
    assert await made.search_state(rollback) == "finished"
