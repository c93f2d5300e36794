"""What comes in by Slack's door, and what each person is told."""

import asyncio
import json
import logging
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from demo.slack import SlackPerson, SlackStandIn, signed
from proof.attack.slack import mutated, play, replay
from proof.attack.slack_gate import ANA, BOB, SECRET
from rollback_manager.client import RollbackClient
from rollback_manager.contract import AbortCommand, Carried
from rollback_manager.errors import Unreachable
from rollback_manager.progress import EndState, Result, RollbackStatus, State
from rollback_manager.tier import Tier
from starters.gateway import deciding
from starters.gateway.app import make_app
from starters.gateway.slack import answering
from tests import rig
from tests.starters.gateway.conftest import ORIGIN
from tests.starters.gateway.slack.conftest import POLICY, Chat, opened

EVE = SlackPerson(user="UEVE")


async def test_one_click_approves_and_the_person_is_told(chat: Chat) -> None:
    rollback = await chat.waiting()
    assert (await chat.click(rollback, "approve")).startswith("Applied: approve, counted")
    outcome = await chat.rig.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [(d.by, d.method) for d in outcome.decisions] == [("ana@example.com", "slack")]


async def test_reject_and_abort_do_what_they_say(chat: Chat) -> None:
    rollback = await chat.waiting()
    assert (await chat.click(rollback, "reject", BOB)).startswith("Applied: reject")
    assert (await rollback.result()).result is Result.REJECTED
    other = await chat.waiting()
    assert (await chat.click(other, "abort")).startswith("Applied: abort hold")
    assert (await other.result()).result is Result.ABORTED


async def test_forged_requests_are_refused_alike_and_cause_no_error_of_ours(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    rollback = await chat.waiting()
    body = ANA.click("approve", f"{rollback.id.removeprefix('rollback/')}.canary-5d1f")
    now = chat.doors.now().timestamp()
    with caplog.at_level(logging.DEBUG):
        attacked = await play(
            chat.http, "/slack/buttons", islice(mutated(SECRET, body, now), 0, None, 25)
        )
    assert attacked.tried > 200
    assert (attacked.accepted, attacked.server_errors) == (0, 0), attacked.violations
    assert await chat.decided(rollback) == []
    assert "canary" not in caplog.text, "what nobody vouches for is not logged"


async def test_a_request_that_is_replayed_decides_once(chat: Chat) -> None:
    rollback = await chat.waiting()
    value = f"{rollback.id.removeprefix('rollback/')}.{(await rollback.status()).nonce}"
    body, now = ANA.click("reject", value), chat.doors.now().timestamp()
    statuses = await replay(chat.http, "/slack/buttons", SECRET, body, now, 30)
    assert statuses == {"200": 1, "409": 29}
    outcome = await rollback.result()
    assert [(d.by, d.counted) for d in outcome.decisions] == [("ana@example.com", True)]


async def test_the_same_decision_delivered_anew_is_the_same_decision(chat: Chat) -> None:
    """Slack signs what it sends again with a new time."""
    rollback = await chat.waiting()
    first = await chat.click(rollback, "reject")
    await rollback.result()
    assert first.startswith("Applied")
    assert (await chat.click(rollback, "reject", nonce="")).startswith("Too late")
    assert await chat.decided(rollback) == [("ana@example.com", True)]


async def test_a_signed_request_of_another_workspace_or_app_is_refused(chat: Chat) -> None:
    others = (replace(ANA, team="T9"), replace(ANA, app="A9"), replace(ANA, enterprise="E9"))
    for sender in others:
        answer = await chat.send(sender.click("approve", "test/k.n"))
        assert answer.status_code == 403, sender
    assert chat.slack.ephemeral == []


async def test_who_sees_the_channel_and_is_not_in_the_catalogue_decides_nothing(chat: Chat) -> None:
    rollback = await chat.waiting()
    for action in ("approve", "reject", "abort"):
        said = await chat.click(rollback, action, EVE)
        assert said.startswith("Nothing was done: nobody in the catalogue has the Slack account")
    assert (await rollback.status()).state is State.WAITING_FOR_APPROVAL
    assert await chat.decided(rollback) == []
    await chat.click(rollback, "abort")


async def test_a_late_click_is_told_so_and_where_to_look(chat: Chat) -> None:
    rollback = await chat.waiting()
    await rollback.abort(AbortCommand(by="anna"))
    await rollback.result()
    said = await chat.click(rollback, "approve")
    assert said.startswith(f"Too late: {rollback.id} is ABORTED. Nothing was changed")
    assert said.endswith(f"https://rollback.example.com/{rollback.id}")


async def test_an_orphaned_message_is_explained(chat: Chat) -> None:
    said = await chat.told(ANA.click("approve", "test/gone-4711.n0"))
    assert said.startswith("This rollback is not known any more")


async def test_an_edited_value_decides_nothing(chat: Chat) -> None:
    for value in ("", "x", "../../etc.n", "test/k", "test/k.n.o.p!", "Test/K.n", "x" * 3000):
        assert "Nothing was changed" in await chat.told(ANA.click("approve", value)), value


async def test_a_button_of_an_older_question_is_superseded(chat: Chat) -> None:
    rollback = await chat.waiting()
    said = await chat.click(rollback, "approve", nonce="of-another-question")
    assert said.startswith("Superseded: another question is open now")
    assert await chat.decided(rollback) == []
    await chat.click(rollback, "abort")


async def test_from_t2_on_a_click_is_no_vote_but_a_link(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> object:
        raise AssertionError("a click in chat was taken for a vote")

    monkeypatch.setattr("starters.gateway.slack.buttons.decide", never)
    for tier, action in product((Tier.T2, Tier.T3), ("approve", "reject")):
        waiting = Waiting("rollback/test/k", tier, "n0")
        monkeypatch.setattr(RollbackClient, "rollback", lambda *_, one=waiting: one)
        said = await chat.told(ANA.click(action, "test/k.n0"))
        assert said.startswith(f"At {tier} a click in Slack is no vote: open the plan and vote")
        assert said.endswith("https://rollback.example.com/rollback/test/k")


@dataclass
class Waiting:
    """A rollback of that tier that waits for a vote."""

    id: str
    tier: Tier
    nonce: str
    quorum: str = ""

    async def status(self) -> RollbackStatus:
        return RollbackStatus(
            rollback=self.id, env="test", state=State.WAITING_FOR_APPROVAL, digest="7f" * 32,
            tier=self.tier, nonce=self.nonce, quorum=self.quorum,
        )  # fmt: skip


async def test_a_real_rollback_at_t2_gets_no_vote_by_a_click_and_stops_by_one(
    client: Client, tmp_path: Path, slack: SlackStandIn
) -> None:
    async with (
        rig.rig(client, tmp_path, cached=1000, policy=POLICY) as made,
        opened(made, slack) as chat,
    ):
        rollback = await chat.waiting()
        assert (await rollback.status()).tier is Tier.T2
        assert (await chat.click(rollback, "approve")).startswith("At T2 a click in Slack is no")
        assert await chat.decided(rollback) == []
        assert (await chat.click(rollback, "abort")).startswith("Applied: abort hold")
        assert (await rollback.result()).result is Result.ABORTED


async def test_the_first_of_two_votes_is_told_that_another_person_must_agree(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counted(*_: object) -> Carried:
        return Carried(applied=True, because="counted")

    monkeypatch.setattr("starters.gateway.slack.buttons.decide", counted)
    waiting = Waiting("rollback/test/k", Tier.T1, "n0", "1 of 2")
    monkeypatch.setattr(RollbackClient, "rollback", lambda *_: waiting)
    said = await chat.told(ANA.click("approve", "test/k.n0"))
    assert said == "Applied: approve, counted. Votes: 1 of 2; another person must agree."


async def test_what_cannot_be_decided_in_time_is_said_to_be_recorded_and_then_what_became_of_it(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "IN_TIME_S", 0.1)
    rollback = await chat.waiting()
    sent = deciding.decide

    async def slow(*words: object) -> object:
        await asyncio.sleep(0.5)
        return await sent(*words)  # type: ignore[arg-type] # handed on as it is

    monkeypatch.setattr("starters.gateway.slack.buttons.decide", slow)
    assert await chat.click(rollback, "reject") == "Recorded, applying…"
    await chat.slack.until(lambda: len(chat.slack.ephemeral) == 2)
    assert "Applied: reject" in json.dumps(chat.slack.ephemeral[-1])


async def test_a_command_that_takes_longer_is_answered_all_the_same(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "IN_TIME_S", 0.0)
    assert "test/k" in await chat.typed("status test/k")
    assert len(chat.slack.responses) == 1


@pytest.mark.parametrize("command", [False, True])
async def test_a_mistake_of_ours_is_told_and_logged_and_is_no_error_of_http(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, command: bool
) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(RollbackClient, "rollback", broken)
    if command:
        said = await chat.typed("status test/k")
    else:
        said = await chat.told(ANA.click("approve", "test/k.n0"))
    assert said.startswith("A mistake of this gateway; its log says which")
    assert "a mistake in Slack's door" in caplog.text


async def test_with_slack_down_after_a_click_the_decision_stands(chat: Chat) -> None:
    rollback = await chat.waiting()
    chat.slack.down = True
    value = f"{rollback.id.removeprefix('rollback/')}.{(await rollback.status()).nonce}"
    assert (await chat.send(ANA.click("reject", value))).status_code == 200
    assert (await rollback.result()).result is Result.REJECTED


async def test_without_its_records_the_door_decides_nothing_and_says_so(chat: Chat) -> None:
    class Down:
        def first_time(self, key: str, ttl_s: int) -> bool:
            raise Unreachable("the records do not answer")

        def is_known(self, key: str) -> bool:
            raise Unreachable("the records do not answer")

    rollback = await chat.waiting()
    app = make_app(replace(chat.doors, replays=Down()))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        answer = await replace(chat, http=http).send(ANA.click("approve", "test/k.n"))
    assert answer.status_code == 200
    assert "the records do not answer" in answer.text
    assert await chat.decided(rollback) == []
    await chat.click(rollback, "abort")


async def test_without_its_secret_there_is_no_door(chat: Chat) -> None:
    for door in (None, replace(chat.door, secrets=None)):
        app = make_app(replace(chat.doors, slack=door))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            for path in ("/slack/buttons", "/slack/commands"):
                answer = await replace(chat, http=http).send(b"payload=1", path)
                assert answer.status_code == 404


async def test_commands_plan_start_tell_and_abort(chat: Chat) -> None:
    service = chat.rig.service
    planned = await chat.typed(f"plan {service} test")
    assert f"From → to: {service} v2 → v1" in planned
    assert f"next: /rollback start {service} test" in planned
    why = f"incident=inc-1 confirm={service} errors after the release"
    started = await chat.typed(f"start {service} test {why}")
    key = started.split(" ")[0].removeprefix("rollback/test/")
    rollback = chat.rig.rollbacks.rollback(f"rollback/test/{key}")
    status = await chat.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    assert (status.requested_by, status.reason) == ("ana@example.com", "errors after the release")
    assert "WAITING FOR APPROVAL" in await chat.typed(f"status test/{key}")
    aborted = await chat.typed(f"abort test/{key} restore a false alarm")
    assert aborted.startswith("Applied: it stops at the next safe point")
    outcome = await rollback.result()
    assert outcome.result is Result.ABORTED
    assert "restore by ana@example.com: a false alarm" in outcome.because


async def test_what_is_no_command_is_answered_with_the_commands(chat: Chat) -> None:
    wrong = ("", "help", "destroy shop test", "plan", "plan Shop test", "status a b", "abort ../..")
    for text in wrong:
        assert "/rollback plan SERVICE ENV" in await chat.typed(text), text


async def test_names_that_the_catalogue_does_not_know_are_refused_in_words(chat: Chat) -> None:
    assert "no service 'shpo' in the catalogue" in await chat.typed("plan shpo test")
    assert "does not run in 'prod'" in await chat.typed(f"start {chat.rig.service} prod")


async def test_a_stranger_types_in_vain(chat: Chat) -> None:
    said = await chat.typed(f"start {chat.rig.service} test", EVE)
    assert said.startswith("Nothing was done: nobody in the catalogue")


async def test_the_signing_secret_is_replaced_while_a_rollback_runs(chat: Chat) -> None:
    rollback = await chat.waiting()
    value = f"{rollback.id.removeprefix('rollback/')}.{(await rollback.status()).nonce}"
    chat.live.append("the-one-of-tomorrow")  # both count
    old = signed(SECRET, body := ANA.click("open_plan", value), chat.doors.now().timestamp())
    assert (await chat.http.post("/slack/buttons", content=body, headers=old)).status_code == 200
    chat.live.remove(SECRET)
    body = ANA.click("approve", value)
    old = signed(SECRET, body, chat.doors.now().timestamp())
    assert (await chat.http.post("/slack/buttons", content=body, headers=old)).status_code == 401
    assert "counted" in await chat.click(rollback, "approve")
    assert (await rollback.result()).result is Result.VERIFIED
