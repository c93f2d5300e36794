"""What cannot be planned is not begun: each says why, and leaves the world alone."""

import pytest

from rollback_manager.contract import Decision, Vote
from rollback_manager.progress import EndState, Result, State
from rollback_manager.release import Standing
from tests.rig import Rig, release


async def blocked(made: Rig, **request: object) -> str:
    """Why it was; nothing was touched and there is no child."""
    rollback = await made.start(**request)
    outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.BLOCKED
    assert outcome.services == ()
    assert outcome.effect == "Production is unchanged."
    assert outcome.next_step
    assert len(await made.histories(rollback)) == 1
    assert not made.world.ledger
    return outcome.because


async def test_a_service_that_nobody_knows(made: Rig) -> None:
    assert "nobody-knows" in await blocked(made, services=("nobody-knows",))


async def test_an_environment_that_nobody_knows(made: Rig) -> None:
    assert "moon" in await blocked(made, env="moon")


@pytest.mark.parametrize("services", [(), ("a", "b")])
async def test_none_and_unknown_services(made: Rig, services: tuple[str, ...]) -> None:
    because = await blocked(made, services=services)
    assert because.startswith("no service 'a' in the catalogue" if services else "no service")


async def test_no_release_is_verified(made: Rig) -> None:
    made.records.mark_release("test", made.service, "v1", Standing.CANDIDATE, "", None)
    assert (await blocked(made)).startswith("no verified release to go back to: v2 is candidate")


async def test_the_target_is_what_runs_now(made: Rig) -> None:
    assert await blocked(made, to_version="v2") == "v2 is the version that has the traffic now"


async def test_the_target_is_another_build_than_was_verified(made: Rig) -> None:
    other = release("v1", Standing.VERIFIED, 60).model_copy(update={"digest": "sha256:other"})
    made.records.save_release("test", made.service, other)
    assert (await blocked(made)).startswith("v1 is not what was verified: sha256:v1 is defined now")


async def test_nobody_is_named_as_the_requester(made: Rig) -> None:
    assert "nobody is named as the requester" in await blocked(made, requested_by="")


async def test_a_plan_that_is_no_longer_the_one_looked_at_is_stale(made: Rig) -> None:
    rollback = await made.start(expect_plan="f" * 64)
    outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.STALE_PLAN
    assert outcome.because.endswith("now, not ffff…ff")
    assert not made.world.ledger


async def test_the_plan_that_was_looked_at_is_carried_out(made: Rig) -> None:
    planned = await made.rollbacks.plan(made.request())
    assert planned.plan is not None
    rollback = await made.start(expect_plan=planned.plan.digest)
    assert (await made.ends_as(rollback, EndState.ROLLED_BACK)).result is Result.VERIFIED
    assert (await rollback.status()).digest == planned.plan.digest


async def test_a_vote_may_quote_the_plan_that_was_looked_at_before(unmanned: Rig) -> None:
    async with unmanned.at_work(approval={"required": True, "deadline_s": 30}) as made:
        planned = await made.rollbacks.plan(made.request())
        assert planned.plan is not None
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        vote = Vote(plan=planned.plan.digest, by="anna")
        assert (await rollback.vote(Decision.APPROVE, vote, vote_id="v")).applied
        assert (await made.ends_as(rollback, EndState.ROLLED_BACK)).result is Result.VERIFIED
