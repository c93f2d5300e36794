"""Several services in one rollback: in waves, all locks or none, and never past a failure."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from proof.stand_ins import Gate
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, AbortMode, Decision, Vote
from rollback_manager.progress import EndState, Result, State, exit_code
from rollback_manager.release import Standing
from tests.fleet_rig import FleetRig, fleet_rig
from tests.rig import PATIENCE_S

THREE_WAVES = {
    "web": {"deploys_after": ("api",)},
    "api": {"deploys_after": ("db",)},
    "jobs": {"reads_from": ("web",), "deploys_after": ("db",)},
    "db": {},
}
"""Back: web, then api and jobs, then db."""

IN_A_ROW = {"a": {"deploys_after": ("b",)}, "b": {"deploys_after": ("c",)}, "c": {}}
"""Back: a, then b, then c."""

ASKED = {"approval": {"required": True, "deadline_s": 60}}

TURNS = 4
"""Of two rollbacks at the same instant."""

BACK, UNTOUCHED = EndState.ROLLED_BACK, EndState.UNTOUCHED


async def test_services_go_back_wave_by_wave(client: Client, tmp_path: Path, cached: int) -> None:
    async with fleet_rig(client, tmp_path, THREE_WAVES, cached=cached) as made:
        rollback = await made.start("db", "web", "jobs", "api")
        outcome = await made.ends_as(rollback, db=BACK, web=BACK, jobs=BACK, api=BACK)
        assert outcome.result is Result.VERIFIED
        assert made.in_waves(("web",), ("api", "jobs"), ("db",)), made.order


async def test_never_more_services_than_the_width_are_under_way(
    client: Client, tmp_path: Path
) -> None:
    names = "abcde"
    services: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in names}
    async with fleet_rig(client, tmp_path, services, fleet={"width": 2}) as made:
        gates = {name: Gate("set_shares") for name in names}
        for name, gate in gates.items():
            made.worlds[name].before_write = gate
        rollback = await made.start(*names)
        await made.seen(lambda: sum(gate.reached.is_set() for gate in gates.values()) == 2)
        status = await made.until(rollback, State.RUNNING)
        states = [service.state for service in status.services]
        assert states == [State.RUNNING] * 2 + [State.WAITING_FOR_ITS_WAVE] * 3
        for gate in gates.values():
            gate.open()
        await made.ends_as(rollback, **dict.fromkeys(names, BACK))
        assert _most_at_once(made.order) == 2


def _most_at_once(order: list[str]) -> int:
    """Most services that had their first write behind them, and their last one before them."""
    under_way = [
        {name for name in set(order) if order.index(name) <= at < _last(order, name)}
        for at in range(len(order))
    ]
    return max(map(len, under_way))


def _last(order: list[str], name: str) -> int:
    return len(order) - 1 - order[::-1].index(name)


async def test_everything_is_locked_before_anybody_has_decided(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW, policy=ASKED) as made:
        rollback = await made.start("c", "b", "a")
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        late = await (await made.start("c")).result()
        assert late.result is Result.BLOCKED
        assert late.services == ()
        vote = Vote(plan=status.digest, by="anna")
        assert (await rollback.vote(Decision.APPROVE, vote, vote_id="1")).applied
        outcome = await made.ends_as(rollback, a=BACK, b=BACK, c=BACK)
        assert outcome.result is Result.VERIFIED
        assert made.in_waves("a", "b", "c"), made.order


async def test_nothing_begins_that_was_rejected(client: Client, tmp_path: Path) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW, policy=ASKED) as made:
        rollback = await made.start("a", "b")
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await rollback.vote(Decision.REJECT, Vote(plan=status.digest, by="anna"), vote_id="1")
        outcome = await made.ends_as(rollback, a=UNTOUCHED, b=UNTOUCHED)
        assert (outcome.result, exit_code(outcome)) == (Result.REJECTED, 3)
        assert not made.order


async def test_nothing_begins_once_a_service_has_ended_before_the_approval(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW, policy=ASKED) as made:
        rollback = await made.start("a", "b", "c")
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await made.child("b").cancel()
        outcome = await made.ends_as(rollback, a=UNTOUCHED, b=UNTOUCHED, c=UNTOUCHED)
        assert exit_code(outcome) == 3
        assert not made.order


async def _halted(made: FleetRig) -> Rollback:
    """The first of three waves has ended without proof, and a person is asked."""
    made.worlds["a"].journeys_fail = True
    rollback = await made.start("a", "b", "c")
    await made.until(rollback, State.NEEDS_HUMAN)
    assert await made.answer(rollback, "skip_step", "verify", "a")
    status = await made.until(
        rollback, lambda now: now.state is State.NEEDS_HUMAN and "wave-1" in now.waits_for
    )
    b, c = made.names("b", "c")
    assert status.waits_for == (
        f"wave-1: {made.name('a')} ended rolled_back: the steps ended without proof that users"
        f" are well; {b}, {c} untouched. Send retry_step, skip_step or abort"
    )
    assert set(made.order) == {"a"}
    assert [service.state for service in status.services] == [
        State.FINISHED,
        State.WAITING_FOR_ITS_WAVE,
        State.WAITING_FOR_ITS_WAVE,
    ]
    return rollback


async def test_after_a_failure_an_abort_leaves_the_rest_untouched_and_names_it(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        rollback = await _halted(made)
        await rollback.abort(AbortCommand(by="anna"))
        outcome = await made.ends_as(rollback, a=BACK, b=UNTOUCHED, c=UNTOUCHED)
        assert (outcome.result, exit_code(outcome)) == (Result.ABORTED, 6)
        a, b, c = made.names("a", "b", "c")
        assert outcome.effect == (
            f"Production is MIXED: act now. Services: untouched: {b}, {c}; rolled back: {a}."
        )


async def test_after_a_failure_a_person_may_go_on_with_the_next_wave(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        rollback = await _halted(made)
        assert not await made.answer(rollback, "skip_step", "wave-2"), "another one waits"
        assert await made.answer(rollback, "skip_step", "wave-1")
        outcome = await made.ends_as(rollback, a=BACK, b=BACK, c=BACK)
        assert (outcome.result, exit_code(outcome)) == (Result.NOT_VERIFIED, 5)
        halting, override = (
            next(gate.because for gate in outcome.gates if gate.gate == name)
            for name in ("automatic_halting", "manual_override")
        )
        assert "wave-1: " in halting
        assert "skip_step wave-1 by anna: mended" in override


async def test_after_a_failure_those_that_are_not_well_may_be_tried_again(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        rollback = await _halted(made)
        made.worlds["a"].journeys_fail = False
        assert await made.answer(rollback, "retry_step", "wave-1")
        outcome = await made.ends_as(rollback, a=BACK, b=BACK, c=BACK)
        assert outcome.result is Result.VERIFIED
        assert made.in_waves("a", "b", "c")


async def test_a_service_whose_lock_is_gone_is_not_tried_again(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        rollback = await _halted(made)
        made.worlds["a"].shares_now, made.worlds["a"].journeys_fail = {"v2": 100}, False
        made.records.mark_release("test", made.name("a"), "v1", Standing.VERIFIED, "", None)
        made.worlds["a"].before_write = gate = Gate("set_shares")
        other = await made.start("a")
        await made.seen(gate.reached.is_set)
        assert await made.answer(rollback, "retry_step", "wave-1")
        status = await made.until(rollback, lambda now: "not tried again" in now.waits_for)
        assert f"service/test/{made.name('a')} is held" in status.waits_for
        gate.open()
        await other.result()
        await rollback.abort(AbortCommand(by="anna"))
        await rollback.result()
        await made.replay(rollback)


@pytest.mark.parametrize(("cached", "mode"), [(1000, AbortMode.HOLD), (0, AbortMode.RESTORE)])
async def test_an_abort_in_the_second_wave_leaves_what_has_ended_and_what_is_not_begun(
    client: Client, tmp_path: Path, cached: int, mode: AbortMode
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW, cached=cached) as made:
        made.worlds["b"].before_write = gate = Gate("scale")
        rollback = await made.start("a", "b", "c")
        await made.seen(gate.reached.is_set)  # its traffic is shifted, its clean-up under way
        await rollback.abort(AbortCommand(mode=mode, by="anna"))
        await made.told("b", "abort")
        gate.open()
        b = EndState.RESTORED if mode is AbortMode.RESTORE else BACK
        outcome = await made.ends_as(rollback, a=BACK, b=b, c=UNTOUCHED)
        assert (outcome.result, exit_code(outcome)) == (Result.ABORTED, 6)
        assert made.worlds["a"].shares_now == {"v1": 100}, "what has ended is not undone"


async def test_a_cancel_of_the_whole_reaches_every_service(client: Client, tmp_path: Path) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        made.worlds["a"].before_write = gate = Gate("set_shares")
        rollback = await made.start("a", "b", "c")
        await made.seen(gate.reached.is_set)
        await client.get_workflow_handle(rollback.id).cancel()
        await made.told("a", "abort")
        gate.open()
        outcome = await made.ends_as(rollback, a=BACK, b=UNTOUCHED, c=UNTOUCHED)
        assert outcome.result is Result.ABORTED


async def test_services_come_to_a_hold_when_the_whole_is_ended_from_outside(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        made.worlds["a"].before_write = gate = Gate("set_shares")
        rollback = await made.start("a", "b", "c")
        await made.seen(gate.reached.is_set)
        await client.get_workflow_handle(rollback.id).terminate("gone")
        gate.open()
        ends = {short: await made.outcome(short) for short in "abc"}
        assert {short: one.end for short, one in ends.items()} == {
            "a": BACK,
            "b": UNTOUCHED,
            "c": UNTOUCHED,
        }
        assert all(one.because.startswith("hold by temporal-cancel") for one in ends.values())
        assert set(made.order) == {"a"}


async def test_of_two_that_overlap_one_is_blocked_and_neither_waits_for_the_other(
    client: Client, tmp_path: Path
) -> None:
    services: dict[str, dict[str, tuple[str, ...]]] = {name: {} for name in "ab"}
    async with fleet_rig(client, tmp_path, services, policy=ASKED) as made:
        for turn in range(TURNS):
            pair = (("a", "b"), ("b", "a"))
            first, second = pair if turn % 2 else pair[::-1]
            both = await asyncio.gather(made.start(*first), made.start(*second))
            ends = [asyncio.create_task(rollback.result()) for rollback in both]
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            (blocked,) = [end.result() for end in ends if end.done()]
            assert blocked.result is Result.BLOCKED
            assert "is being rolled back already" in blocked.because
            (holder,) = [one for one in both if one.id != blocked.rollback]
            await holder.abort(AbortCommand(by="anna"))
            assert (await holder.result()).result is Result.ABORTED
            await asyncio.gather(*ends)
        assert not made.order


async def test_what_was_locked_before_a_collision_is_free_again(
    client: Client, tmp_path: Path
) -> None:
    gate = Gate("claim")  # the lock is taken, and no claim is written yet for a plan to see
    async with fleet_rig(client, tmp_path, IN_A_ROW, policy=ASKED, before_records=gate) as made:
        holder = await made.start("b")
        await made.seen(gate.reached.is_set)
        collision = await made.start("a", "b", "c")
        await made.collided(collision)
        gate.open()
        blocked = await collision.result()
        b = made.name("b")
        assert blocked.because == (
            f"{b} is being rolled back already: service/test/{b} holds the lock"
        )
        freed = await made.outcome("a")
        assert (freed.end, freed.because) == (
            UNTOUCHED,
            f"hold by rollback-manager: service/test/{b} is held",
        ), "told by the one that collided, not by its end"
        await made.replay(collision)
        again = await made.start("a")
        await made.until(again, State.WAITING_FOR_APPROVAL)
        for one in (again, holder):
            await one.abort(AbortCommand(by="anna"))
            await one.result()
        assert not made.order


WRONG = {
    (): "no service is named",
    ("a", "b", "a"): "{a}: named twice",
    ("a", "nobody"): "no service '{nobody}' in the catalogue; known: {a}, {b}, {c}",
}
"""Lists of services that cannot be rolled back, and what is said about each."""


async def test_a_wrong_list_of_services_is_refused_before_anything_is_touched(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW, fleet={"tree_above": 2}) as made:
        names = {short: made.name(short) for short in ("a", "b", "c", "nobody")}
        for asked, because in WRONG.items():
            outcome = await (await made.start(*asked)).result()
            assert outcome.result is Result.BLOCKED
            assert outcome.because == because.format(**names)
            assert outcome.effect == "Production is unchanged."


async def test_what_blocks_one_service_blocks_all_and_every_blocked_one_is_named(
    client: Client, tmp_path: Path
) -> None:
    async with fleet_rig(client, tmp_path, IN_A_ROW) as made:
        made.worlds["a"].shares_now = {}
        made.records.mark_release("test", made.name("c"), "v1", Standing.CANDIDATE, "", None)
        outcome = await (await made.start("a", "b", "c")).result()
        assert outcome.result is Result.BLOCKED
        assert f"{made.name('a')}: " in outcome.because
        assert f"{made.name('c')}: " in outcome.because
        assert f"{made.name('b')}: " not in outcome.because
        assert not made.order


async def test_an_abort_after_one_of_the_services_has_ended_does_not_spin(
    client: Client, tmp_path: Path
) -> None:
    services: dict[str, dict[str, tuple[str, ...]]] = {"a": {}, "b": {}}
    async with fleet_rig(client, tmp_path, services) as made:
        made.worlds["b"].before_write = gate = Gate("set_shares")
        rollback = await made.start("a", "b")
        await made.seen(lambda: gate.reached.is_set() and "a" in made.order)
        await made.outcome("a")
        await rollback.abort(AbortCommand(by="anna"))
        await made.told("b", "abort")
        await asyncio.sleep(3)  # longer than the SDK lets a workflow compute without a pause
        parent = await rollback.history()
        assert not any(
            event.HasField("workflow_task_failed_event_attributes") for event in parent.events
        )
        gate.open()
        await rollback.result()
