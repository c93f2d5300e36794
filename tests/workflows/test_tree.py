"""More services than one plan can hold: agreed to once, carried out in parts, one after another."""

from pathlib import Path

from temporalio.client import Client

from proof.stand_ins import Gate
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, AbortMode, Decision, StepCommand, Vote
from rollback_manager.progress import EndState, Result, State, exit_code
from tests.fleet_rig import FleetRig, fleet_rig

SERVICES: dict[str, dict[str, tuple[str, ...]]] = {
    **{name: {"deploys_after": ("z",)} for name in "abc"},
    "z": {},
}
"""Back: a, b and c, in two parts, then z."""
ASKED = {"approval": {"required": True, "deadline_s": 60}}
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


async def first_part_ended(made: FleetRig) -> Rollback:
    """Its b is not well and was aborted; its a is."""
    made.worlds["b"].journeys_fail = True
    rollback = await made.start(*"abcz")
    first = made.rollbacks.rollback(parts(rollback.id, 1)[0])
    await made.seen(lambda: {"a", "b"} <= set(made.order))
    await made.outcome("a")
    await made.until(first, State.NEEDS_HUMAN)
    await first.abort(AbortCommand(by="anna"))
    return rollback


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
