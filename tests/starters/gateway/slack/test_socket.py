"""Socket Mode: no public address, the same path, over a real WebSocket to the stand-in."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from activities.integrations.slack_socket import SlackSocket
from demo.slack import SlackPerson
from demo.slack.people import pushed
from proof.attack.slack_gate import ANA
from rollback_manager.errors import Unreachable
from rollback_manager.progress import EndState, Result
from starters.gateway.slack import socket
from starters.gateway.slack.socket import Socket
from tests.starters.gateway.slack.conftest import Chat, said


@pytest.fixture
async def connected(chat: Chat, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Chat]:
    caplog.set_level(logging.CRITICAL, "slack_sdk")
    connection = SlackSocket(chat.slack.api, chat.slack.app_token)
    assert chat.doors.replays is not None
    own = Socket(chat.doors, chat.door, chat.doors.replays)
    async with own.kept_open(connection):
        await chat.slack.until(lambda: chat.slack.connected())
        yield chat


async def test_a_click_over_the_socket_decides_and_is_acknowledged(connected: Chat) -> None:
    rollback = await connected.waiting()
    nonce = (await rollback.status()).nonce
    body = ANA.click("approve", f"{rollback.id.removeprefix('rollback/')}.{nonce}")
    for envelope in ("e-1", "e-1", "e-2"):  # sent again, and delivered anew
        connected.slack.push(pushed(body, envelope))
    outcome = await connected.rig.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert [(d.by, d.method) for d in outcome.decisions] == [("ana@example.com", "slack")]
    await connected.slack.until(lambda: len(connected.slack.acknowledged) == 3)
    acknowledged = {one["envelope_id"] for one in connected.slack.acknowledged}
    assert acknowledged == {"e-1", "e-2"}


async def test_commands_are_answered_with_their_acknowledgement_and_strangers_decide_nothing(
    connected: Chat,
) -> None:
    """One connection for both: Slack's client takes two seconds to hang up."""
    slack = connected.slack
    slack.push(pushed(ANA.command(f"plan {connected.rig.service} test"), "e-3"))
    await slack.until(lambda: slack.acknowledged)
    assert "v2 → v1" in said(slack.acknowledged[0]["payload"])
    rollback = await connected.waiting()
    value = f"{rollback.id.removeprefix('rollback/')}.{(await rollback.status()).nonce}"
    strangers = (replace(ANA, team="T9"), replace(ANA, app="A9"), SlackPerson(user="UEVE"))
    for number, who in enumerate(strangers):
        slack.push(pushed(who.click("approve", value), f"x-{number}"))
    slack.push({"type": "events_api", "envelope_id": "x-9", "payload": {}})
    await slack.until(lambda: len(slack.acknowledged) == 5)
    assert await connected.decided(rollback) == []
    await connected.click(rollback, "abort")


async def test_a_connection_that_cannot_be_opened_is_tried_again(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reluctant:
        def __init__(self) -> None:
            self.tries, self.closed = 0, False

        def listen(self, hear: object) -> None:
            self.tries += 1
            if self.tries < 3:
                raise Unreachable("Slack's Socket Mode does not answer")

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(socket, "AGAIN_S", 0.01)
    connection = Reluctant()
    assert chat.doors.replays is not None
    async with Socket(chat.doors, chat.door, chat.doors.replays).kept_open(connection):
        await chat.slack.until(lambda: connection.tries == 3)
    assert connection.closed


async def test_a_wrong_app_token_is_said_to_be_one(chat: Chat) -> None:
    connection = SlackSocket(chat.slack.api, "xapp-wrong")
    with pytest.raises(Unreachable, match="Socket Mode does not answer") as error:
        connection.listen(lambda *_: None)
    connection.close()
    assert "xapp-wrong" not in str(error.value)
