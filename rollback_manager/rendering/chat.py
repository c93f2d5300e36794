"""One rollback as a Slack message: blocks that fit Slack's limits, whatever the data says.

What others wrote goes into `plain_text`, where nothing is markup, a link or a mention. Buttons
carry `<rollback key>.<nonce>` alone: whoever edits one finds that the server looks everything up.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from rollback_manager.rendering import words
from rollback_manager.rendering.layout import clean
from rollback_manager.telling.card import Card, Question
from rollback_manager.telling.notices import LOUD, Notice

Block = dict[str, object]

MOST_BLOCKS, MOST_FIELDS = 50, 10
SECTION, FIELD, HEADER, FALLBACK = 3000, 2000, 150, 3000
BUTTON, VALUE, TITLE, CONFIRMATION = 75, 2000, 100, 300
"""Slack's own limits (Block Kit reference); a message beyond one is refused as a whole."""
MOST_DECISIONS = 10
"""Lines; the plan's page has all of them."""

APPROVE, REJECT, ABORT, OPEN = "approve", "reject", "abort", "open_plan"
"""Action ids: the verbs of every surface."""


class Message(NamedTuple):
    """What is sent: blocks for people, and the text of notifications and screen readers."""

    text: str
    blocks: list[Block]


def message(card: Card, page: str = "") -> Message:
    """The one message of a rollback. page: address of its page; left out: no link to it."""
    blocks = [
        _header(card.headline),
        *_standing(card),
        *_facts(card),
        *_thoughts(card),
        _context(card),
        *(_asking(card, card.question, page) if card.question else _looking(page)),
        *_stopping(card),
    ]
    return Message(escaped(f"{card.headline} {card.stands}")[:FALLBACK], blocks[:MOST_BLOCKS])


def line(notice: Notice) -> Message:
    """One milestone, for the thread."""
    loud = "ACT NOW: " if notice.milestone in LOUD else ""
    at = f"{words.clock(notice.at)} " if notice.at else ""
    text = f"{at}{loud}{notice.text}"
    return Message(escaped(text)[:FALLBACK], [_section(text)])


def explained(text: str, link: str = "") -> Message:
    """An answer for one person alone; link: where to go instead."""
    blocks = [_section(text)]
    if link:
        blocks.append(_actions("go", _link("Open plan", link)))
    return Message(escaped(text)[:FALLBACK], blocks)


def value(card: Card) -> str:
    """What a button carries."""
    return f"{card.key}.{card.nonce}"


class Clicked(NamedTuple):
    """What a button carried: `env/key` and the nonce of the question that was shown."""

    key: str
    nonce: str


CARRIED = re.compile(
    r"([a-z0-9][a-z0-9._-]{0,62}/[a-z0-9][a-z0-9._-]{0,62})\.([A-Za-z0-9_-]{0,64})"
)


def clicked(carried: str) -> Clicked | None:
    """A button's value taken apart; None for what no button of ours carries."""
    found = CARRIED.fullmatch(carried)
    return Clicked(found[1], found[2]) if found else None


def escaped(text: str) -> str:
    """For Slack's own markup: no link, no mention, no @here, whoever wrote it."""
    plain = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"@(?=(?:here|channel|everyone|group)\b)", "(at)", plain, flags=re.IGNORECASE)


def _plain(text: str, most: int) -> Block:
    """Never empty, for Slack refuses that; no emoji, for `:x:` may stand in a reason."""
    shown = clean(text).strip() or words.UNKNOWN
    cut = shown if len(shown) <= most else shown[: most - 1] + "…"
    return {"type": "plain_text", "text": cut, "emoji": False}


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, HEADER)}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(text, SECTION)}


def _standing(card: Card) -> Iterator[Block]:
    """The state word, what it waits for, who decided, how it ended."""
    waits = f"waits for {card.waits_for}" if card.waits_for else ""
    yield _section(words.joined([card.stands, waits]))
    for text in (*card.ended, *card.decisions[-MOST_DECISIONS:]):
        yield _section(text)


def _facts(card: Card) -> Iterator[Block]:
    fields: list[Block] = [_plain(f"{one.label}: {one.text}", FIELD) for one in card.facts]
    if card.question and card.question.deadline:
        fields.append({"type": "mrkdwn", "text": f"Deadline: {date(card.question.deadline)}"})
    if fields:
        yield {"type": "section", "fields": fields[:MOST_FIELDS]}


def date(moment: datetime) -> str:
    """In the reader's own time zone; in UTC where that cannot be shown."""
    return f"<!date^{int(moment.timestamp())}^{{time_secs}}|{words.clock(moment)}>"


def _thoughts(card: Card) -> Iterator[Block]:
    if card.if_nothing:
        yield _section(f"If we do nothing: {card.if_nothing}")
    if card.doubts:
        yield _section("What could go wrong: " + "; ".join(card.doubts))


def _context(card: Card) -> Block:
    """Slack takes ten elements; these are fewer."""
    told: list[Block] = [_plain(text, FIELD) for text in (*card.about, card.rollback)]
    return {"type": "context", "elements": told[:MOST_FIELDS]}


def _asking(card: Card, question: Question, page: str) -> Iterator[Block]:
    if question.votes:
        yield _section(f"Votes: {question.votes}")
    elements = [] if question.only_elsewhere else [*_votes(card)]
    if question.only_elsewhere:
        yield _section("This tier is decided on the plan's page or by CLI, not in chat.")
    if page:
        elements.append(_link("Open plan", page))
    if elements:
        yield _actions("vote", *elements)


def _votes(card: Card) -> Iterator[Block]:
    yield _button(APPROVE, "Approve", value(card), "primary", _sure("Approve?", card.effect))
    nothing = f"{card.headline} The plan is refused; production stays as it is."
    yield _button(REJECT, "Reject", value(card), "", _sure("Reject?", nothing))


def _looking(page: str) -> Iterator[Block]:
    if page:
        yield _actions("look", _link("Open plan", page))


def _stopping(card: Card) -> Iterator[Block]:
    """Apart from the votes: a divider and a block of its own, so that no thumb slips."""
    if card.can_stop:
        said = f"{card.rollback} stops at its next safe point and stays as it is then."
        yield {"type": "divider"}
        yield _actions(
            "stop", _button(ABORT, "Abort", value(card), "danger", _sure("Abort?", said))
        )


def _sure(title: str, text: str) -> Block:
    return {
        "title": _plain(title, TITLE),
        "text": _plain(text, CONFIRMATION),
        "confirm": _plain("Yes", 30),
        "deny": _plain("No", 30),
    }


def _button(action: str, text: str, carried: str, style: str, confirm: Block) -> Block:
    if len(carried) > VALUE:
        raise ValueError("a button carries a key and a nonce, nothing longer")
    button: Block = {
        "type": "button",
        "action_id": action,
        "text": _plain(text, BUTTON),
        "value": carried,
        "confirm": confirm,
    }
    return {**button, "style": style} if style else button


def _link(text: str, url: str) -> Block:
    return {"type": "button", "action_id": OPEN, "text": _plain(text, BUTTON), "url": url}


def _actions(block_id: str, *elements: Block) -> Block:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}
