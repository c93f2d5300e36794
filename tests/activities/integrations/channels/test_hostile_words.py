"""What others wrote moves no cursor, calls nobody and forges nothing (T22)."""

import json
import re
from typing import Any

import pytest

from rollback_manager.progress import State
from rollback_manager.rendering import chat, letters
from rollback_manager.rendering.web_ui import rollback_details
from rollback_manager.telling.card import Card, card
from rollback_manager.telling.notices import notices
from tests import builders as b
from tests.rollback_manager.rendering.test_chat import nodes, waiting

CORPUS = (
    "<!here> <!channel> <!everyone> <!subteam^S1> <@U1> <https://evil.example|plan>",
    "@here @channel @everyone @group",
    "\x1b[2J\x1b[1;1H\x1b]8;;https://evil.example\x07plan\x1b]8;;\x07\x9b31m\x90q\x9c",
    "a\u202egnp.exe \u2066x\u2069 \u200bzero\u200d \ufeff \u2028new\u2029line",
    "line\r\nBcc: eve@example.com\r\n\r\n.\r\nQUIT\r\n",
    "[plan](https://evil.example) ![x](https://evil.example/p.png) **bold** | cell | `code`",
    "<script>alert(1)</script><img src=x onerror=alert(1)> {{7*7}} {% raw %}",
    "\x00\x07\x08\x7f\x85",
)


def hostile(text: str, state: State = State.WAITING_FOR_APPROVAL) -> Card:
    return card(
        waiting(reason=text, requested_by=text, waits_for=text, state=state), b.plan(), text
    )


def strings(node: Any) -> list[str]:
    found = [v for one in nodes(node) for v in one.values() if isinstance(v, str)]
    return [*found, *(one for one in _lists(node) if isinstance(one, str))]


def _lists(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [one for value in node.values() for one in _lists(value)]
    return [one for part in node for one in (part, *_lists(part))] if isinstance(node, list) else []


def seen(text: str) -> bool:
    """Whether every character of it is one that a reader sees, or a line's end of ours."""
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.mark.parametrize("state", [State.WAITING_FOR_APPROVAL, State.NEEDS_HUMAN])
@pytest.mark.parametrize("text", CORPUS)
def test_no_channel_carries_it_as_more_than_words(text: str, state: State) -> None:
    one = hostile(text, state)
    told = waiting(reason=text, requested_by=text, waits_for=text, state=state)
    news = notices(told, b.plan())
    sent = json.loads(one.model_dump_json())  # a webhook's body
    assert strings(sent)
    assert all(map(seen, strings(sent)))
    assert all(seen(said.text) and "\n" not in said.text for said in news)
    for message in (chat.message(one), *map(chat.line, news), chat.explained(text)):
        assert "<!" not in message.text
        assert "@here" not in message.text.lower()
        markup = [n["text"] for n in nodes(message.blocks) if n.get("type") == "mrkdwn"]
        assert all(said.startswith("Deadline: <!date^") for said in markup)
        assert all(map(seen, strings(message.blocks)))
    subject, body = letters.subject(one), letters.text(one, news)
    assert seen(subject)
    assert "\n" not in subject
    assert seen(body)
    assert not [line for line in body.splitlines() if line.startswith(("Bcc:", ".", "QUIT"))]
    page = rollback_details(told, b.plan())
    assert seen(page)
    live = re.sub(r"\\.", "", page)  # without what is escaped
    for mark in ("](", "<script", "<img", "**bold**", "![", "://"):
        assert mark not in live
