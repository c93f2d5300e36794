"""Who decides, when, and what counts: votes as updates and as signals, deadlines, ties."""

import uuid
from datetime import timedelta

import pytest

from rollback_manager.client import Rollback
from rollback_manager.client import rollback as running
from rollback_manager.contract import AbortCommand, Decision, Vote
from rollback_manager.errors import NotFound
from rollback_manager.progress import EndState, Result, State
from tests.rig import Rig

ASKED: dict[str, object] = {"required": True, "deadline_s": 30}


async def waiting(made: Rig) -> tuple[Rollback, str]:
    """A rollback that waits for a person, and the digest of its plan."""
    rollback = await made.start()
    status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    return rollback, status.digest


async def send(made: Rig, rollback: Rollback, name: str, *words: object) -> None:
    """A signal as it stands, without the product's client."""
    await made.client.get_workflow_handle(rollback.id).signal(name, args=words)


async def vote(rollback: Rollback, decision: Decision, plan: str, by: str = "anna") -> str:
    """Vote by update; the answer in words, `applied` first."""
    answer = await rollback.vote(decision, Vote(plan=plan, by=by), vote_id=uuid.uuid4().hex)
    return f"applied={answer.applied}: {answer.because}"


async def test_an_approved_plan_is_carried_out(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        status = await rollback.status()
        assert status.waits_for == "approve or reject"
        assert status.deadline is not None
        assert await made.search_state(rollback) == "waiting_for_approval"
        assert not made.world.ledger
        assert (await vote(rollback, Decision.APPROVE, digest)).startswith("applied=True")
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [(d.by, d.counted) for d in outcome.decisions] == [("anna", True)]


async def test_the_signal_of_the_same_name_approves_too(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        await send(made, rollback, "approve", Vote(plan=digest, by="bob"))
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [d.by for d in outcome.decisions if d.counted] == ["bob"]


async def test_a_vote_for_another_plan_is_refused_in_words_and_leaves_no_event(
    unmanned: Rig,
) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        before = len((await rollback.history()).events)
        said = await vote(rollback, Decision.APPROVE, "f" * 64)
        assert said.startswith("applied=False: the vote quotes plan ffff…ff, this is plan")
        said = await vote(rollback, Decision.APPROVE, digest, by=" ")
        assert said == "applied=False: a vote needs a name"
        assert len((await rollback.history()).events) == before
        await vote(rollback, Decision.REJECT, digest)
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert len(outcome.decisions) == 1


async def test_a_signal_for_another_plan_decides_nothing_and_is_kept(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        await send(made, rollback, "approve", Vote(plan="f" * 64, by="eve"))
        status = await made.until(rollback, lambda status: bool(status.decisions))
        assert status.state is State.WAITING_FOR_APPROVAL
        assert not status.decisions[0].counted
        assert "the vote quotes plan ffff…ff" in status.decisions[0].because
        await send(made, rollback, "reject", Vote(plan=digest, by="anna"))
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.REJECTED
    assert [(d.by, d.counted) for d in outcome.decisions] == [("eve", False), ("anna", True)]


async def test_a_rejected_plan_touches_nothing(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        await vote(rollback, Decision.REJECT, digest)
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.REJECTED
    assert outcome.effect == "Production is unchanged."
    assert not made.world.ledger


@pytest.mark.parametrize(
    ("on_expiry", "result"), [("hold", Result.EXPIRED), ("reject", Result.REJECTED)]
)
async def test_silence_never_approves(unmanned: Rig, on_expiry: str, result: Result) -> None:
    asked = {"required": True, "deadline_s": 0.3, "on_expiry": on_expiry}
    async with unmanned.at_work(approval=asked) as made:
        outcome = await made.ends_as(await made.start(), EndState.UNTOUCHED)
    assert outcome.result is result
    assert not made.world.ledger


async def test_the_second_vote_is_ignored_and_told_why(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        made.world.requests_per_look = 0  # the shift waits for requests, so the rollback lasts
        rollback, digest = await waiting(made)
        await vote(rollback, Decision.APPROVE, digest)
        said = await vote(rollback, Decision.REJECT, digest, by="bob")
        assert said == "applied=False: it was decided before: approve"
        await send(made, rollback, "reject", Vote(plan=digest, by="carl"))
        made.world.requests_per_look = 10_000
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [(d.by, d.counted) for d in outcome.decisions] == [("anna", True), ("carl", False)]


async def test_the_same_vote_id_gets_the_first_answer(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        one = Vote(plan=digest, by="anna")
        first = await rollback.vote(Decision.REJECT, one, vote_id="click-1")
        again = await rollback.vote(Decision.REJECT, one, vote_id="click-1")
        assert first.applied
        assert again == first
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert len(outcome.decisions) == 1


@pytest.mark.parametrize("order", ["approve first", "abort first"])
async def test_an_abort_wins_over_an_approval_in_the_same_task(unmanned: Rig, order: str) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
    sent = [("approve", Vote(plan=digest, by="anna")), ("abort", AbortCommand(by="bob"))]
    for name, words in sent if order == "approve first" else reversed(sent):
        await send(made, rollback, name, words)  # no worker runs: one task will see both
    async with made.worker():
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == "hold by bob"
    assert not made.world.ledger


async def test_a_vote_before_there_is_a_plan_does_not_count(unmanned: Rig) -> None:
    rollback = await unmanned.start()
    await send(unmanned, rollback, "approve", Vote(plan="f" * 64, by="eager"))
    async with unmanned.at_work(approval=ASKED) as made:
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        assert [d.because for d in status.decisions] == ["nothing waits for an approval"]
        await vote(rollback, Decision.REJECT, status.digest)
        await made.ends_as(rollback, EndState.UNTOUCHED)


async def test_a_vote_where_nobody_is_asked_does_not_count(made: Rig) -> None:
    made.world.requests_per_look = 0
    rollback = await made.start()
    await made.step_runs("redirect_traffic")
    digest = (await rollback.status()).digest
    said = await vote(rollback, Decision.REJECT, digest)
    assert said == "applied=False: nothing waits for an approval"
    made.world.requests_per_look = 10_000
    assert (await made.ends_as(rollback, EndState.ROLLED_BACK)).result is Result.VERIFIED


async def test_a_vote_after_the_end_is_refused(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
        await vote(rollback, Decision.REJECT, digest)
        await rollback.result()
        with pytest.raises(NotFound):
            await vote(rollback, Decision.APPROVE, digest)
        await made.ends_as(rollback, EndState.UNTOUCHED)
    assert not made.world.ledger


async def test_an_abort_while_a_person_is_asked_touches_nothing(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, _ = await waiting(made)
        await rollback.abort(AbortCommand(by="bob", reason="false alarm"))
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == "hold by bob: false alarm"
    assert not made.world.ledger


async def test_the_end_of_the_service_ends_the_wait_for_a_vote(unmanned: Rig) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, _ = await waiting(made)
        await made.child().cancel()
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert not made.world.ledger


async def test_a_vote_while_no_worker_lives_is_stored_and_judged_later(
    unmanned: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with unmanned.at_work(approval=ASKED) as made:
        rollback, digest = await waiting(made)
    monkeypatch.setattr(running, "ANSWER_S", timedelta(seconds=0.5))
    said = await vote(rollback, Decision.APPROVE, digest)
    assert said == "applied=False: no worker answers: the vote is stored and will be judged"
    monkeypatch.undo()
    async with made.worker():
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert sum(d.counted for d in outcome.decisions) == 1
