"""What people see in Slack fits Slack's limits and carries nothing that others wrote as markup."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from demo.slack import limits
from rollback_manager.contract import Decision
from rollback_manager.progress import DecisionRecord, RollbackStatus, ServiceStatus, State
from rollback_manager.rendering import chat, letters
from rollback_manager.telling.card import Card, card
from rollback_manager.telling.notices import Milestone, Notice
from rollback_manager.tier import Tier
from tests import builders as b

AT = datetime(2026, 3, 1, 14, 29, tzinfo=UTC)
HOSTILE = (
    "<!here> <@U1> <https://evil.example|click> *bold* `code` @channel :x: & < > \u202e\x1b[31m\n"
    "https://token@host.example ${jndi:x} " + "x" * 4000
)


def waiting(**more: object) -> RollbackStatus:
    service = ServiceStatus(
        rollback=b.PARENT, service="shop", state=State.WAITING_FOR_APPROVAL, from_version="v2",
        to_version="v1", steps=(),
    )  # fmt: skip
    made = RollbackStatus(
        rollback=b.PARENT,
        env="demo",
        state=State.WAITING_FOR_APPROVAL,
        digest=b.plan().digest,
        requested_by="operator-a",
        reason="errors after the release",
        services=(service,),
        deadline=AT,
        nonce="n0",
    )
    return made.model_copy(update=more)


def asked(**more: object) -> Card:
    return card(waiting(**more), b.plan(), "inc-4711")


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for one in node:
            yield from nodes(one)
    elif isinstance(node, dict):
        yield node
        for one in node.values():
            yield from nodes(one)


def buttons(blocks: Any) -> dict[str, dict[str, Any]]:
    return {one["action_id"]: one for one in nodes(blocks) if one.get("type") == "button"}


def test_the_question_is_asked_block_by_block() -> None:
    text, blocks = chat.message(asked(), "https://rollback.example.com/x")
    assert text == "Approve rollback of shop (demo)? WAITING FOR APPROVAL"
    kinds = [block["type"] for block in blocks]
    assert kinds[0] == "header"
    assert kinds[-4:] == ["context", "actions", "divider", "actions"]
    fields = [one["text"] for block in blocks for one in block.get("fields", ())]  # type: ignore[attr-defined] # JSON
    labels = [one.split(":")[0] for one in fields]
    assert labels == ["From → to", "Why", "Blast radius", "Capacity floor", "Time", "Deadline"]
    assert "v2 fails 11.0 % of 4800 requests" in fields[1]
    assert fields[-1].startswith("Deadline: <!date^")
    said = json.dumps(blocks, ensure_ascii=False)
    assert "If we do nothing: shop: v2 keeps 100 % of the traffic and goes on failing" in said
    assert "What could go wrong: " in said
    assert "incident inc-4711" in said


def test_votes_and_abort_stand_in_blocks_of_their_own_that_are_not_adjacent() -> None:
    blocks = chat.message(asked(), "https://rollback.example.com/x").blocks
    at = {
        one["action_id"]: number
        for number, block in enumerate(blocks)
        for one in block.get("elements", ())  # type: ignore[attr-defined] # JSON
        if one.get("type") == "button"
    }
    assert at["approve"] == at["reject"] == at["open_plan"]
    assert at["abort"] > at["approve"] + 1
    assert buttons(blocks)["abort"]["style"] == "danger"
    assert buttons(blocks)["approve"]["style"] == "primary"


def test_confirmations_repeat_what_will_happen() -> None:
    found = buttons(chat.message(asked()).blocks)
    said = found["approve"]["confirm"]["text"]["text"]
    assert said.startswith("shop v2 → v1 in demo. Traffic moves back in ")
    assert "stays as it is" in found["abort"]["confirm"]["text"]["text"]


def test_a_button_carries_key_and_nonce_and_nothing_else() -> None:
    found = buttons(chat.message(asked(), "https://rollback.example.com/x").blocks)
    assert {found[name]["value"] for name in ("approve", "reject", "abort")} == {"demo/inc-1.n0"}
    assert chat.clicked("demo/inc-1.n0") == ("demo/inc-1", "n0")
    assert chat.clicked("demo/a.b.n0") == ("demo/a.b", "n0")


@pytest.mark.parametrize(
    "value", ["", ".", "demo.n", "demo/inc", "/inc.n", "demo/in c.n", "demo/../x.n", "Demo/x.n"]
)
def test_what_no_button_of_ours_carries_is_not_read(value: str) -> None:
    assert chat.clicked(value) is None


@pytest.mark.parametrize("tier", [Tier.T2, Tier.T3])
def test_from_t2_on_there_is_a_link_and_no_vote(tier: Tier) -> None:
    found = buttons(chat.message(asked(tier=tier), "https://rollback.example.com/x").blocks)
    assert set(found) == {"open_plan", "abort"}


def test_the_first_of_two_votes_shows() -> None:
    assert "Votes: 1 of 2" in json.dumps(chat.message(asked(quorum="1 of 2")).blocks)


def test_after_the_end_no_button_is_left() -> None:
    ended = waiting(state=State.FINISHED, outcome=b.outcome(), deadline=None)
    found = buttons(chat.message(card(ended, b.plan())).blocks)
    assert found == {}


def test_hostile_text_fits_the_limits_and_is_no_markup() -> None:
    record = DecisionRecord(
        decision=Decision.APPROVE, by=HOSTILE, method=HOSTILE, reason=HOSTILE, at=AT,
        counted=True, because="",
    )  # fmt: skip
    told = waiting(
        reason=HOSTILE, requested_by=HOSTILE, waits_for=HOSTILE, decisions=(record,) * 60
    )
    message = chat.message(card(told, b.plan(), HOSTILE), "https://rollback.example.com/x")
    assert limits.mistakes(message.blocks) == []
    markup = [one["text"] for one in nodes(message.blocks) if one.get("type") == "mrkdwn"]
    assert all(one.startswith("Deadline: <!date^") for one in markup)
    assert not any(one.get("emoji") for one in nodes(message.blocks))


@pytest.mark.parametrize(
    "notice",
    [
        Notice(milestone=Milestone.NEEDS_PERSON, key="k", text=HOSTILE),
        Notice(milestone=Milestone.SHARE, key="k", text="", at=AT),
    ],
)
def test_a_line_of_the_thread_fits_whatever_it_says(notice: Notice) -> None:
    message = chat.line(notice)
    assert limits.mistakes(message.blocks) == []
    for mark in ("<", ">", "@channel", "\n", "\x1b", "\u202e"):
        assert mark not in message.text
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", message.text)


def test_the_same_card_as_a_letter_says_the_same_words() -> None:
    news = (Notice(milestone=Milestone.ASKED, key="asked", text="asked for", at=AT),)
    text = letters.text(asked(), news, "")
    assert text.startswith("14:29:00Z asked for")
    assert "Approve rollback of shop (demo)? · WAITING FOR APPROVAL" in text
    assert "rollback-manager abort rollback/demo/inc-1" in text
    assert letters.subject(asked()) == "[rollback] Approve rollback of shop (demo)"
