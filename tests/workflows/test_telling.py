"""People are told, and no rollback ever waits for that."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from demo.slack import SlackStandIn
from rollback_manager.contract import stay_id
from rollback_manager.progress import EndState, Result, State
from tests.rig import Rig, replayer
from tests.told import OPS, SLACK_TOKEN, fitted, slack
from tests.workflows.owned import owned
from workflows import telling

ASKED: dict[str, object] = {"required": True, "deadline_s": 30}


@pytest.fixture
def cached() -> int:
    """Histories are replayed at the end of a test; one test does so at every workflow task."""
    return 1000


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackStandIn]:
    with SlackStandIn() as one:
        monkeypatch.setenv(SLACK_TOKEN, one.token)
        yield one


def shown(stand_in: SlackStandIn) -> str:
    """All texts of the one message, as people see them now."""
    (message,) = stand_in.posted()
    return "\n".join(texts(message["blocks"]))


def texts(node: object) -> Iterator[str]:
    match node:
        case list():
            for one in node:
                yield from texts(one)
        case {"type": "plain_text" | "mrkdwn", "text": str() as text}:
            yield text
        case dict():
            for one in node.values():
                yield from texts(one)


def thread(stand_in: SlackStandIn) -> list[str]:
    return [one["text"].partition("Z ")[2] or one["text"] for one in stand_in.posted(thread=True)]


@pytest.mark.parametrize("cached", [0])
async def test_one_message_is_edited_and_its_thread_has_the_milestones_alone(
    unmanned: Rig, stand_in: SlackStandIn
) -> None:
    with fitted(unmanned, slack(stand_in), page="https://rollback.example.com") as told:
        async with told.at_work(approval=ASKED) as made:
            rollback = await made.start()
            await made.until(rollback, State.WAITING_FOR_APPROVAL)
            await stand_in.until(stand_in.posted)
            assert f"Approve rollback of {made.service} (test)?" in shown(stand_in)
            assert {"Approve", "Reject", "Open plan", "Abort"} <= set(shown(stand_in).split("\n"))
            await made.approve(rollback)
            outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    assert outcome.not_told == ()
    assert "VERIFIED" in shown(stand_in)
    assert "approve by anna (local, not authenticated)" in shown(stand_in)
    assert "Approve" not in shown(stand_in).split("\n"), "the buttons vanish"
    told_of = [text.split(":")[0].split(" ")[0] for text in thread(stand_in)]
    assert told_of == ["asked", "approve", "started", "traffic", "verify", "VERIFIED"]
    assert {one["channel"] for one in stand_in.posted(thread=True)} == {OPS}


async def test_everybody_is_told_that_the_glass_was_broken(
    unmanned: Rig, stand_in: SlackStandIn
) -> None:
    with fitted(unmanned, slack(stand_in)) as told:
        async with told.at_work(approval=ASKED) as made:
            rollback = await made.start(
                break_glass=True,
                incident="inc-1",
                reason="everything fails and nobody answers",
                confirmed=made.service,
            )
            await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert any("BREAK-GLASS by test" in text for text in thread(stand_in)), thread(stand_in)


async def test_with_slack_down_a_rollback_is_verified_all_the_same_and_says_who_was_not_told(
    unmanned: Rig, stand_in: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "LAST_WORDS", timedelta(seconds=2))
    stand_in.down = True
    with fitted(unmanned, slack(stand_in)) as told:
        async with told.at_work() as made:
            started = time.monotonic()
            rollback = await made.start()
            await made.until(rollback, State.FINISHED)
            assert time.monotonic() - started < 8, "nothing waited for a dead channel"
            outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.result is Result.VERIFIED
    (silent,) = outcome.not_told
    assert silent.startswith("slack: ")


async def test_a_channel_that_comes_back_is_told_what_it_missed(
    unmanned: Rig, stand_in: SlackStandIn
) -> None:
    stand_in.down = True
    with fitted(unmanned, slack(stand_in)) as told:
        async with told.at_work(approval=ASKED) as made:
            rollback = await made.start()
            await made.until(rollback, State.WAITING_FOR_APPROVAL)
            stand_in.down = False
            await made.approve(rollback)
            outcome = await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.not_told == ()
    assert thread(stand_in)[0].startswith("asked for by test")
    assert thread(stand_in)[-1].startswith("VERIFIED")


async def test_who_needs_a_person_says_so_at_once(unmanned: Rig, stand_in: SlackStandIn) -> None:
    with fitted(unmanned, slack(stand_in)) as told:
        async with told.at_work() as made:
            made.world.journeys_fail = True
            rollback = await made.start()
            await made.until(rollback, State.NEEDS_HUMAN)
            await stand_in.until(
                lambda: any("ACT NOW: needs a person" in t for t in thread(stand_in))
            )
            await stand_in.until(lambda: "NEEDS A PERSON" in shown(stand_in))
            await made.answer(rollback, "skip_step", "verify")
            await rollback.result()
            await made.replay(rollback)
    assert "verify failed" in " ".join(thread(stand_in))


async def test_without_channels_nothing_of_it_is_in_the_history(made: Rig) -> None:
    rollback = await made.start()
    await made.ends_as(rollback, EndState.ROLLED_BACK)
    names = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for history in await made.histories(rollback)
        for event in history.events
    ]
    assert "tell_people" not in names


async def test_who_takes_a_rollback_back_is_told_where_the_rollback_was_told(
    unmanned: Rig, stand_in: SlackStandIn
) -> None:
    owners = owned(unmanned.world)
    with fitted(unmanned, slack(stand_in)) as told:
        async with told.at_work(stay_checks_s=(0.3, 5.0)) as made:
            rollback = await made.start()
            assert (await rollback.result()).result is Result.VERIFIED
            await stand_in.until(lambda: "STAYS" in shown(stand_in))
            made.world.shares_now, owners.stranger = {"v2": 100}, "argocd-controller"
            await stand_in.until(lambda: any("ACT NOW" in text for text in thread(stand_in)))
            await stand_in.until(lambda: "NEEDS A PERSON" in shown(stand_in))
            stay = made.client.get_workflow_handle(stay_id("test", made.service))
            await replayer().replay_workflow(await stay.fetch_history())
            await stay.terminate()
    assert "argocd-controller" in thread(stand_in)[-1]
    assert len(stand_in.posted()) == 1, "in the thread of its message, not beside it"
