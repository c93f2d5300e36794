"""Where keys are pinned only what the gateway signed counts: for votes, and for all that steers."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from proof.stand_ins import FailsAtFirst, Gate
from rollback_manager.authority.token import Dec
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, Decision, PauseCommand, StepCommand, Vote
from rollback_manager.errors import PermanentError
from rollback_manager.freezes import Direction, Freeze
from rollback_manager.progress import EndState, Result, RollbackStatus, State
from tests.fleet_rig import fleet_rig
from tests.rig import Rig
from tests.secured import SecuredRig, begun, secured, secured_rig, stop, token, vote

ANA, BO, CY, EVE, FAY = (f"{name}@example.com" for name in ("ana", "bo", "cy", "eve", "fay"))
ROLLING = "rolling_update"
ASKED = {"approval": {"required": True, "deadline_s": 60}}
WAITS = State.WAITING_FOR_APPROVAL
IN_TIME: dict[str, object] = {"required": True, "deadline_s": 60}
REFUSED = PermanentError("the program is not known to supervisord")

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another run": ({"run": "another"}, "another run of this rollback"),
    "another rollback": ({"rid": "rollback/test/other"}, "another rollback"),
    "another environment": ({"aud": "rollback-manager/stage"}, "another environment"),
    "a stale digest": ({"plan": "f" * 64}, "another plan"),
    "an old question": ({"nonce": "0" * 24}, "another question"),
    "another decision": ({"dec": Dec.ABORT_HOLD}, "signed to abort_hold"),
    "a wrong key": ({"kid": "stranger"}, "a key that this rollback does not know"),
    "the requester": ({"sub": CY, "groups": ("leads",)}, "asked for it"),
    "who is behind the job": ({"sub": FAY, "groups": ("leads",)}, "asked for it"),
    "nobody who may": ({"sub": EVE, "groups": ("visitors",)}, "is none of"),
}


async def asks(made: SecuredRig) -> tuple[Rollback, RollbackStatus]:
    """A T3 rollback, rolling, never rehearsed, that CY and FAY asked for: it waits for two."""
    rollback = await made.start(requested_by=CY, behind=(FAY,))
    return rollback, await made.until(rollback, State.WAITING_FOR_APPROVAL)


async def said(rollback: Rollback, words: Vote) -> str:
    answer = await rollback.vote(Decision.APPROVE, words, vote_id=uuid.uuid4().hex)
    return f"{answer.applied}: {answer.because}"


async def twin(made: Rig, rollback: Rollback, name: str, words: object) -> None:
    await made.client.get_workflow_handle(rollback.id).signal(name, words)


async def test_two_people_agree_and_nothing_else_counts_by_update_or_by_signal(
    unmanned: Rig,
) -> None:
    async with secured_rig(unmanned, strategy=ROLLING).at_work(approval=IN_TIME) as made:
        assert isinstance(made, SecuredRig)
        rollback, status = await asks(made)
        assert (str(status.tier), status.quorum, status.security) == ("T3", "0 of 2", "secured")
        now = time.time()
        bad = {
            name: (vote(status, Dec.APPROVE, BO, now, **changes), because)
            for name, (changes, because) in BAD.items()
        }
        unsigned = Vote(plan=status.digest, by=BO, method="web+mfa")
        expired = vote(status, Dec.APPROVE, BO, now - 601)
        bad |= {"unsigned": (unsigned, "not signed"), "expired": (expired, "ended")}
        for name, (words, because) in bad.items():
            answer = await said(rollback, words)
            assert answer.startswith("False"), (name, answer)
            assert because in answer, (name, answer)
            await twin(made, rollback, "approve", words)
        first = vote(status, Dec.APPROVE, BO, now)
        assert (await said(rollback, first)).endswith(": 1 of 2")
        again = await said(rollback, vote(status, Dec.APPROVE, BO, now))
        assert "has agreed already (1 of 2)" in again
        await twin(made, rollback, "approve", first)
        not_owner = {"sub": "di@example.com", "groups": ("leads",)}
        assert "must be of payments" in await said(
            rollback, vote(status, Dec.APPROVE, BO, now, **not_owner)
        )
        status = await made.until(rollback, lambda seen: len(seen.decisions) == len(bad) + 2)
        assert (status.state, status.quorum) == (State.WAITING_FOR_APPROVAL, "1 of 2")
        assert (await said(rollback, vote(status, Dec.APPROVE, ANA, now, kid="next")))[:4] == "True"
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [(d.by, d.method) for d in outcome.decisions if d.counted] == [
        (BO, "web+mfa"),
        (ANA, "web+mfa"),
    ]
    assert len([d for d in outcome.decisions if not d.counted]) == len(bad) + 1
    assert {d.signed for d in outcome.decisions if d.counted} == {True}
    assert len({d.jti for d in outcome.decisions if d.counted}) == 2


async def test_a_freeze_that_stops_rollbacks_lets_one_pass_by_a_commanders_vote_alone(
    unmanned: Rig,
) -> None:
    now = datetime.now(UTC)
    frozen = Freeze(
        env="test",
        service=unmanned.service,
        id=f"f-{unmanned.service}",
        begins=now - timedelta(hours=1),
        until=now + timedelta(hours=1),
        reason="the data centre moves",
        direction=Direction.ROLLBACKS_TOO,
        by=ANA,
        said_at=now,
    )
    unmanned.records.keep_freeze(frozen)
    async with secured_rig(unmanned).at_work(approval={"deadline_s": 60}) as made:
        assert isinstance(made, SecuredRig)
        rollback, status = await asks(made)
        assert (status.quorum, "1 of them an incident commander" in status.quorum_because) == (
            "0 of 1",
            True,
        )
        for words in (
            vote(status, Dec.APPROVE, ANA, time.time()),
            vote(status, Dec.APPROVE, BO, time.time(), sub="di@example.com", groups=("leads",)),
        ):
            assert "must be of commanders" in await said(rollback, words)
            await twin(made, rollback, "approve", words)
        assert (await said(rollback, vote(status, Dec.APPROVE, BO, time.time())))[:4] == "True"
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert [one.by for one in outcome.decisions if one.counted] == [BO]
    assert outcome.result is Result.VERIFIED


async def test_who_steers_it_must_have_signed_also_at_the_service_itself(unmanned: Rig) -> None:
    async with secured_rig(unmanned, strategy=ROLLING).at_work(approval=IN_TIME) as made:
        assert isinstance(made, SecuredRig)
        rollback, status = await asks(made)
        child = made.child()
        await child.signal("go")
        await child.signal("go", "a word that is not theirs")
        await child.signal("abort", AbortCommand(by=EVE))
        await child.signal("resume", PauseCommand(by=EVE, word=""))
        for by_name in ("abort", "pause", "resume"):
            words = AbortCommand(by=EVE) if by_name == "abort" else PauseCommand(by=EVE)
            await twin(made, rollback, by_name, words)
        for_pause = token(status, Dec.PAUSE, BO, time.time(), nonce="", plan="")
        await rollback.abort(AbortCommand(by=EVE, token=for_pause))
        await stop(rollback, status, BO, time.time() - 601, life=600)
        once = token(status, Dec.PAUSE, BO, time.time(), nonce="", plan="", jti="once")
        await rollback.pause(PauseCommand(by=BO, token=once))
        await stop(rollback, status, BO, time.time(), jti="once")
        status = await made.until(rollback, lambda seen: len(seen.ignored) == 6)
        assert status.ignored[-1].because == "it was used before"
        assert status.state is State.WAITING_FOR_APPROVAL
        assert not made.world.ledger
        await stop(rollback, status, BO, time.time() - 80_000, life=86_400)
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == f"hold by {BO}: stop"
    assert [(one.command, one.by) for one in outcome.ignored] == [
        ("abort_hold", EVE),
        ("pause", EVE),
        ("resume", EVE),
        ("abort_hold", EVE),
        ("abort_hold", BO),
        ("abort_hold", BO),
    ]
    assert [one.command for one in outcome.services[0].ignored] == ["abort_hold", "resume"]


async def test_a_step_that_waits_is_answered_by_a_signature_for_just_that_question(
    unmanned: Rig,
) -> None:
    unmanned.world.before_write = FailsAtFirst("set_shares", REFUSED, 2)
    async with secured_rig(unmanned).at_work() as made:
        assert isinstance(made, SecuredRig)
        rollback = await made.start(requested_by=CY)
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await said(rollback, vote(status, Dec.APPROVE, ANA, time.time()))
        asked = await made.until(rollback, State.NEEDS_HUMAN)
        old = asked.services[0].nonce
        assert old

        async def retry(nonce: str, **changes: Any) -> str:
            words = token(status, Dec.RETRY_STEP, ANA, time.time(), nonce=nonce, **changes)
            command = StepCommand(step="redirect_traffic", by=ANA, token=words)
            answer = await rollback.step("retry_step", made.service, command)
            return f"{answer.applied}: {answer.because}"

        unsigned = await made.answer(rollback, "retry_step", "redirect_traffic")
        assert "not signed" in unsigned.because
        assert "signed to skip_step" in await retry(old, dec=Dec.SKIP_STEP)
        assert "another question" in await retry("0" * 24)
        assert (await retry(old)).startswith("True")
        again = await made.until(rollback, lambda seen: _asks_anew(seen, old))
        assert "another question" in await retry(old)
        assert (await retry(again.services[0].nonce)).startswith("True")
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


def _asks_anew(seen: RollbackStatus, old: str) -> bool:
    return seen.state is State.NEEDS_HUMAN and seen.services[0].nonce not in {"", old}


async def test_an_abort_that_comes_before_the_plan_is_judged_with_it(unmanned: Rig) -> None:
    made = secured_rig(unmanned)
    rollback = await made.start(requested_by=CY)
    seen = await made.client.get_workflow_handle(rollback.id).describe()
    early = RollbackStatus(
        rollback=rollback.id, env="test", state=State.PLANNING, first_run=seen.run_id or ""
    )
    await rollback.abort(AbortCommand(by=EVE, reason="unsigned"))
    await stop(rollback, early, BO, time.time())
    async with made.at_work(approval=IN_TIME):
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].because == f"hold by {BO}: stop"
    assert [(one.by, "not signed" in one.because) for one in outcome.ignored] == [(EVE, True)]


async def test_nobody_answers_they_are_told_again_and_it_holds(unmanned: Rig) -> None:
    hasty: dict[str, object] = {
        "required": True,
        "remind_s": 0.3,
        "escalate_s": 0.5,
        "deadline_s": 4,
    }
    async with secured_rig(unmanned).at_work(approval=hasty) as made:
        rollback = await made.start(requested_by=CY)
        told = await made.until(rollback, lambda seen: seen.escalated and seen.reminded > 1)
        assert told.state is State.WAITING_FOR_APPROVAL
        assert told.asked_again_at is not None
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.EXPIRED


async def test_a_native_cancel_holds_for_nobody_can_sign_one(unmanned: Rig) -> None:
    async with secured_rig(unmanned).at_work(approval=IN_TIME) as made:
        rollback = await made.start(requested_by=CY)
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await made.client.get_workflow_handle(rollback.id).cancel()
        outcome = await made.ends_as(rollback, EndState.UNTOUCHED)
    assert outcome.result is Result.ABORTED


async def test_a_key_that_follows_in_the_catalogue_leaves_what_runs_its_own_keys(
    unmanned: Rig,
) -> None:
    async with secured_rig(unmanned).at_work(approval=IN_TIME) as made:
        rollback = await made.start(requested_by=CY)
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    later = secured_rig(unmanned, pinned=("next", "stranger"))
    async with later.at_work(approval=IN_TIME) as made:
        answer = await said(rollback, vote(status, Dec.APPROVE, ANA, time.time(), kid="next"))
        assert answer.startswith("True"), answer
        outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED


@pytest.mark.parametrize("was_reset", [False, True])
async def test_a_signed_abort_of_the_whole_reaches_the_service_of_the_part_that_runs(
    client: Client, tmp_path: Path, cached: int, was_reset: bool
) -> None:
    tied: dict[str, dict[str, tuple[str, ...]]] = {"a": {}, "z": {"deploys_after": ("a",)}}
    fleet = {"tree_above": 1}
    async with fleet_rig(
        client, tmp_path, tied, fleet=fleet, policy=ASKED, cached=cached, changed=secured
    ) as made:
        gate = Gate("set_shares")
        made.worlds["z"].before_write = gate
        rollback = await made.rollbacks.start(begun(made.request(*"az", requested_by=CY)))
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        if was_reset:
            await _reset(client, rollback)
            again = await made.until(rollback, State.WAITING_FOR_APPROVAL)
            assert again.first_run == status.first_run
        answer = await said(rollback, vote(status, Dec.APPROVE, ANA, time.time()))
        assert answer.startswith("True"), answer
        await made.seen(gate.reached.is_set)
        part = made.rollbacks.rollback(f"{rollback.id}-p1")
        await part.abort(AbortCommand(by=EVE))
        await stop(rollback, status, BO, time.time())
        await made.told("z", "abort")
        gate.open()
        outcome = await rollback.result()
        assert outcome.result is Result.ABORTED
        assert outcome.services[0].because == f"hold by {BO}: stop"
        assert outcome.untouched == made.names("a")
        ignored = (await part.result()).ignored
        assert [(one.command, one.by) for one in ignored] == [("abort_hold", EVE)]
        await made.replay(rollback)


async def test_a_part_is_tried_again_by_a_signed_word_and_a_signed_vote_for_its_new_plan(
    client: Client, tmp_path: Path
) -> None:
    tied: dict[str, dict[str, tuple[str, ...]]] = {
        "a": {},
        "m": {"deploys_after": ("a",)},
        "z": {"deploys_after": ("m",)},
    }
    fleet = {"tree_above": 1}
    async with fleet_rig(
        client, tmp_path, tied, fleet=fleet, policy=ASKED, changed=secured
    ) as made:
        gate = Gate("set_shares")
        made.worlds["z"].before_write = gate
        rollback = await made.rollbacks.start(begun(made.request(*"amz", requested_by=CY)))
        first = vote(await made.until(rollback, WAITS), Dec.APPROVE, ANA, time.time())
        await said(rollback, first)
        await made.seen(gate.reached.is_set)
        made.worlds["m"].running["v2"] = 4  # its plan is stale at its turn
        gate.open()
        halted = await made.until(rollback, State.NEEDS_HUMAN)
        words = token(halted, Dec.RETRY_STEP, ANA, time.time())
        unsigned = await rollback.step("retry_step", "", StepCommand(step="part-2", by=EVE))
        assert "not signed" in unsigned.because
        command = StepCommand(step="part-2", by=ANA, token=words)
        assert (await rollback.step("retry_step", "", command)).applied
        anew = await made.until(rollback, WAITS)
        assert (await said(rollback, first)).startswith("False")
        assert (await said(rollback, Vote(plan=anew.digest, by=EVE))).startswith("False")
        assert "m" not in made.order
        answer = await said(rollback, vote(anew, Dec.APPROVE, BO, time.time()))
        assert answer.startswith("True"), answer
        assert (await rollback.result()).result is Result.VERIFIED
        await made.replay(rollback)


async def _reset(client: Client, rollback: Rollback) -> None:
    """As an operator does from the Web UI: to the last task, in a run of a new id."""
    told = await client.get_workflow_handle(rollback.id).fetch_history()
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=rollback.id, run_id=told.run_id),
        reason="a test",
        workflow_task_finish_event_id=[e.event_id for e in told.events if e.event_type == done][-1],
        request_id=uuid.uuid4().hex,
    )
    answer = await client.workflow_service.reset_workflow_execution(request)
    assert answer.run_id != told.run_id
