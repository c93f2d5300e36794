"""More services than one plan can hold: agreed to once, carried out in parts, one after another."""

import json
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.exceptions import ApplicationError

from activities.targets import VersionState
from proof.stand_ins import Gate
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, AbortMode, Decision, StepCommand, Vote
from rollback_manager.progress import EndState, Result, RollbackStatus, State, exit_code
from rollback_manager.release import Standing
from tests.fleet_rig import FleetRig, fleet_rig
from tests.rig import release, replayer
from workflows.branches import NO_WAY_BACK

SERVICES: dict[str, dict[str, tuple[str, ...]]] = {
    **{name: {"deploys_after": ("z",)} for name in "abc"},
    "z": {},
}
"""Back: a, b and c, in two parts, then z."""
ASKED = {"approval": {"required": True, "deadline_s": 60}}
USED_UP = Path(__file__).parents[1] / "data/parts/used_up.rollback.json"
"""Left by a build that answered `retry_step` on a part with no, and then `skip_step`."""
IN_TWOS = {"tree_above": 2}


def parts(root: str, count: int) -> list[str]:
    return [f"{root}-p{number}" for number in range(1, count + 1)]


async def test_a_large_rollback_goes_part_by_part_in_the_order_of_the_waves(
    client: Client, tmp_path: Path, cached: int
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, cached=cached) as made:
        rollback = await made.start(*"zcba")
        outcome = await rollback.result()
        assert outcome.result is Result.VERIFIED, outcome
        assert outcome.well == made.names(*"abcz")
        assert exit_code(outcome) == 0
        assert made.in_waves("ab", "c", "z"), made.order
        for part in parts(rollback.id, 3):
            ended = await made.rollbacks.rollback(part).result()
            assert ended.result is Result.VERIFIED
            assert not ended.services
        await made.replay(rollback)


async def test_the_whole_is_agreed_to_once_by_a_digest_of_all_parts(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, policy=ASKED) as made:
        rollback = await made.start(*"abcz")
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        assert not made.order
        await rollback.vote(Decision.APPROVE, Vote(plan=status.digest, by="anna"), vote_id="v1")
        assert (await rollback.result()).result is Result.VERIFIED
        again = await made.start(*"abcz", expect_plan=status.digest)
        assert (await again.result()).result in {Result.STALE_PLAN, Result.BLOCKED}


async def test_a_large_rollback_that_nobody_agrees_to_touches_nothing(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, policy=ASKED) as made:
        rollback = await made.start(*"abcz")
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await rollback.vote(Decision.REJECT, Vote(plan=status.digest, by="anna"), vote_id="v1")
        outcome = await rollback.result()
        assert (outcome.result, outcome.untouched) == (Result.REJECTED, made.names(*"abcz"))
        assert outcome.effect == "Production is unchanged."
        assert not made.order


async def first_part_ended(made: FleetRig, mode: AbortMode = AbortMode.HOLD) -> Rollback:
    """Its b is not well and was aborted; its a is."""
    made.worlds["b"].journeys_fail = True
    rollback = await made.start(*"abcz")
    await aborted_in_b(made, rollback, mode)
    return rollback


async def aborted_in_b(made: FleetRig, rollback: Rollback, mode: AbortMode) -> None:
    first = made.rollbacks.rollback(parts(rollback.id, 1)[0])
    await made.seen(lambda: {"a", "b"} <= set(made.order))
    await made.outcome("a")
    await made.until(first, State.NEEDS_HUMAN)
    await first.abort(AbortCommand(mode=mode, by="anna"))


async def agreed_first_part_ended(made: FleetRig) -> tuple[Rollback, RollbackStatus]:
    """The same after an approval, with what it showed before."""
    made.worlds["b"].journeys_fail = True
    rollback = await made.start(*"abcz")
    asked = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    await rollback.vote(Decision.APPROVE, Vote(plan=asked.digest, by="anna"), vote_id="v1")
    await aborted_in_b(made, rollback, AbortMode.RESTORE)
    return rollback, asked


async def test_a_part_that_is_not_well_stops_the_next_and_names_the_untouched(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made)
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "part-1" in status.waits_for
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await rollback.result()
    assert outcome.result is Result.ABORTED
    assert outcome.untouched == made.names("c", "z")
    assert [s.service for s in outcome.services] == [made.name("b")]
    assert outcome.well == made.names("a")
    assert (outcome.effect, exit_code(outcome)) == ("Production is MIXED: act now.", 6)
    assert "1 of 4 services rolled back and well, 2 untouched" in outcome.because
    assert set(made.order) == {"a", "b"}


async def test_after_a_part_that_is_not_well_a_person_may_go_on(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made)
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert len(status.digest) == 64, "a signed answer quotes the plan, in parts, too"
        skip = StepCommand(step="part-1", by="anna")
        assert (await rollback.step("skip_step", "", skip)).applied
        outcome = await rollback.result()
    assert outcome.result is Result.ABORTED
    assert outcome.well == made.names("a", "c", "z")


def mended(made: FleetRig) -> None:
    made.worlds["b"].journeys_fail = False


async def again(made: FleetRig, rollback: Rollback) -> RollbackStatus:
    """The root once more waits for a person, after its first part."""
    await made.until(rollback, State.NEEDS_HUMAN)
    mended(made)
    assert await made.answer(rollback, "retry_step", "part-1")
    return await made.until(rollback, State.WAITING_FOR_APPROVAL)


async def test_a_part_is_tried_again_by_a_new_plan_of_those_that_are_not_well(
    client: Client, tmp_path: Path, cached: int
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, cached=cached) as made:
        rollback = await first_part_ended(made, AbortMode.RESTORE)
        await made.until(rollback, State.NEEDS_HUMAN)
        mended(made)
        before = made.order.count("a")
        assert await made.answer(rollback, "retry_step", "part-1")
        outcome = await rollback.result()
        assert outcome.result is Result.VERIFIED, outcome
        assert outcome.well == made.names("a", "b", "c", "z")
        assert made.order.count("a") == before, "what is well is left alone"
        second = await made.rollbacks.rollback(f"{rollback.id}-p1-2").result()
        assert (second.result, second.well) == (Result.VERIFIED, made.names("b"))
        await made.replay(rollback)


async def test_a_part_that_is_not_well_the_second_time_asks_again(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made, AbortMode.RESTORE)
        await made.until(rollback, State.NEEDS_HUMAN)
        assert await made.answer(rollback, "retry_step", "part-1")
        second = made.rollbacks.rollback(f"{rollback.id}-p1-2")
        await made.until(rollback, lambda now: now.waits_for == f"part 1 again: {second.id}")
        await made.until(second, State.NEEDS_HUMAN)
        await second.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
        await made.until(rollback, State.NEEDS_HUMAN)
        mended(made)
        assert await made.answer(rollback, "retry_step", "part-1")
        outcome = await rollback.result()
        assert outcome.result is Result.VERIFIED, outcome
        await made.replay(rollback)


async def test_a_rollback_whose_part_an_older_build_did_not_try_again_is_replayed() -> None:
    events = json.loads(USED_UP.read_text(encoding="utf-8"))
    started = events["events"][0]["workflowExecutionStartedEventAttributes"]
    await replayer().replay_workflow(WorkflowHistory.from_json(started["workflowId"], events))


async def test_what_is_back_and_not_well_has_no_way_back_and_is_told_so(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made)
        await made.until(rollback, State.NEEDS_HUMAN)
        assert await made.answer(rollback, "retry_step", "part-1")
        status = await made.until(rollback, lambda now: NO_WAY_BACK in now.waits_for)
        assert status.state is State.NEEDS_HUMAN
        assert await made.answer(rollback, "skip_step", "part-1")
        outcome = await rollback.result()
        assert outcome.well == made.names("a", "c", "z")
        await made.replay(rollback)


async def test_a_part_that_was_stale_at_its_turn_is_tried_again_as_it_is_now(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        gate = Gate("set_shares")
        made.worlds["a"].before_write = gate
        rollback = await made.start(*"abcz")
        await made.seen(gate.reached.is_set)
        made.worlds["c"].running["v2"] = 4
        gate.open()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "part-2: stale_plan" in status.waits_for
        assert "c" not in made.order
        assert await made.answer(rollback, "retry_step", "part-2")
        outcome = await rollback.result()
        assert (outcome.result, outcome.well) == (Result.VERIFIED, made.names(*"abcz"))
        assert made.in_waves("ab", "c", "z"), made.order
        await made.replay(rollback)


async def test_a_part_whose_service_was_mended_meanwhile_is_not_taken_back_from_what_mends_it(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        gate = Gate("set_shares")
        made.worlds["a"].before_write = gate
        rollback = await made.start(*"abcz")
        await made.seen(gate.reached.is_set)
        made.records.save_release("test", made.name("c"), release("v3", Standing.CANDIDATE, 1))
        made.worlds["c"].running["v3"] = 3
        made.worlds["c"].shares_now = {"v3": 100}
        gate.open()
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "part-2: stale_plan" in status.waits_for
        assert await made.answer(rollback, "retry_step", "part-2")
        status = await made.until(rollback, lambda now: "not tried again" in now.waits_for)
        told = f"{made.name('c')} would go back from v3, and not from v2, which was called bad"
        assert told in status.waits_for
        assert await made.answer(rollback, "skip_step", "part-2")
        outcome = await rollback.result()
        assert outcome.well == made.names("a", "b", "z")
        assert made.worlds["c"].shares_now == {"v3": 100}
        await made.replay(rollback)


async def test_a_rollback_outlives_a_new_plan_of_its_part_that_fails(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ApplicationError("the disk is full", non_retryable=True)

    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made, AbortMode.RESTORE)
        await made.until(rollback, State.NEEDS_HUMAN)
        mended(made)
        with monkeypatch.context() as patched:
            patched.setattr(made.records, "past", broken)
            assert await made.answer(rollback, "retry_step", "part-1")
            status = await made.until(rollback, lambda now: "not tried again" in now.waits_for)
        assert "it could not be planned: the disk is full" in status.waits_for
        assert await made.answer(rollback, "retry_step", "part-1")
        outcome = await rollback.result()
        assert outcome.result is Result.VERIFIED, outcome
        await made.replay(rollback)


async def test_the_new_plan_of_a_part_is_agreed_to_by_its_own_digest(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, policy=ASKED) as made:
        rollback, first = await agreed_first_part_ended(made)
        status = await again(made, rollback)
        assert status.digest != first.digest
        assert status.nonce != first.nonce
        assert status.waits_for == f"approve or reject: part-1 again, {made.name('b')} planned anew"
        old = Vote(plan=first.digest, by="anna")
        assert not (await rollback.vote(Decision.APPROVE, old, vote_id="v2")).applied
        written = len(made.order)
        await rollback.vote(Decision.APPROVE, Vote(plan=status.digest, by="anna"), vote_id="v3")
        outcome = await rollback.result()
        assert (outcome.result, outcome.digest) == (Result.VERIFIED, first.digest)
        assert len(made.order) > written
        await made.replay(rollback)


async def test_a_part_whose_new_plan_is_rejected_stays_as_it_is_and_asks(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, policy=ASKED) as made:
        rollback, _ = await agreed_first_part_ended(made)
        rejected = await again(made, rollback)
        written = list(made.order)
        await rollback.vote(Decision.REJECT, Vote(plan=rejected.digest, by="anna"), vote_id="v2")
        status = await made.until(rollback, State.NEEDS_HUMAN)
        assert "part-1: not tried again, its new plan is rejected; before, it ended aborted" in (
            status.waits_for
        )
        assert made.order == written
        once_more = await again(made, rollback)
        assert once_more.digest == rejected.digest
        assert once_more.nonce != rejected.nonce, "no vote counts for two questions"
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await rollback.result()
        assert (outcome.result, outcome.well) == (Result.ABORTED, made.names("a"))
        assert outcome.untouched == made.names("c", "z")


async def test_a_part_that_cannot_be_planned_anew_says_why_and_asks(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made, AbortMode.RESTORE)
        await made.until(rollback, State.NEEDS_HUMAN)
        other = await made.start("b")
        await made.until(other, State.NEEDS_HUMAN)
        assert await made.answer(rollback, "retry_step", "part-1")
        status = await made.until(rollback, lambda now: "not tried again" in now.waits_for)
        assert status.state is State.NEEDS_HUMAN
        assert other.id in status.waits_for
        await other.abort(AbortCommand(by="anna"))
        await rollback.abort(AbortCommand(by="anna"))
        assert (await rollback.result()).result is Result.ABORTED


async def test_a_part_whose_planning_fails_leaves_the_whole_running_and_asks(
    client: Client, tmp_path: Path
) -> None:
    def mistaken() -> dict[str, VersionState]:
        raise ApplicationError("a mistake in a target", non_retryable=True)

    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        rollback = await first_part_ended(made, AbortMode.RESTORE)
        await made.until(rollback, State.NEEDS_HUMAN)
        mended(made)
        world = made.worlds["b"]
        right, world.versions = world.versions, mistaken  # type: ignore[method-assign]
        assert await made.answer(rollback, "retry_step", "part-1")
        status = await made.until(rollback, lambda now: "a mistake in a target" in now.waits_for)
        assert "part-1: not tried again, it could not be planned" in status.waits_for
        world.versions = right  # type: ignore[method-assign]
        assert await made.answer(rollback, "retry_step", "part-1")
        outcome = await rollback.result()
        assert (outcome.result, outcome.well) == (Result.VERIFIED, made.names(*"abcz"))
        await made.replay(rollback)


async def test_an_abort_while_a_part_is_asked_about_again_leaves_it_as_it_is(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS, policy=ASKED) as made:
        rollback, _ = await agreed_first_part_ended(made)
        await again(made, rollback)
        written = list(made.order)
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await rollback.result()
        assert (outcome.result, outcome.well) == (Result.ABORTED, made.names("a"))
        assert made.order == written
        await made.replay(rollback)


async def test_an_abort_reaches_the_part_that_runs_and_nothing_begins_after_it(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        gate = Gate("set_shares")
        made.worlds["a"].before_write = gate
        rollback = await made.start(*"abcz")
        await made.seen(gate.reached.is_set)
        await rollback.abort(AbortCommand(mode=AbortMode.RESTORE, by="anna"))
        await made.told("a", "abort")
        gate.open()
        outcome = await rollback.result()
        assert outcome.result is Result.ABORTED
        assert made.worlds["a"].shares_now == {"v2": 100}
        assert EndState.RESTORED in {s.end for s in outcome.services}
        assert outcome.untouched == made.names("c", "z")
        await made.replay(rollback)


async def test_so_many_at_once_are_started_by_a_person_alone(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, SERVICES, fleet=IN_TWOS) as made:
        outcome = await (await made.start(*"abcz", trigger="alert")).result()
        assert outcome.result is Result.BLOCKED
        assert "4 services at once are started by a person alone, not by alert" in outcome.because
        assert not made.order
