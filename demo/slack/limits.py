"""What Slack refuses in a message: the limits of Block Kit, as its reference states them."""

from collections.abc import Iterator
from typing import Any

LONGEST = {"header": 150, "section": 3000, "field": 2000, "button": 75}
MOST_BLOCKS, MOST_ELEMENTS, MOST_FIELDS, MOST_CONTEXT = 50, 25, 10, 10
VALUE, ACTION_ID, BLOCK_ID = 2000, 255, 255
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}


def mistakes(blocks: Any) -> list[str]:
    """Why Slack would answer `invalid_blocks`; empty where it would not."""
    if not isinstance(blocks, list):
        return ["blocks are no list"]
    found = [] if len(blocks) <= MOST_BLOCKS else [f"{len(blocks)} blocks"]
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        found.append("two blocks have one block_id")
    return found + [said for block in blocks for said in _block(block)]


def _block(block: Any) -> Iterator[str]:
    match block.get("type"):
        case "divider":
            return
        case "header":
            yield from _text(block["text"], "header")
            if block["text"]["type"] != "plain_text":
                yield "a header is plain_text"
        case "section":
            yield from _section(block)
        case "context":
            if not 0 < len(block["elements"]) <= MOST_CONTEXT:
                yield "elements of a context"
            for element in block["elements"]:
                yield from _text(element, "section")
        case "actions":
            yield from _actions(block)
        case unknown:
            yield f"no such block: {unknown}"


def _section(block: Any) -> Iterator[str]:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        yield "a section without text and fields"
    if len(fields) > MOST_FIELDS:
        yield f"{len(fields)} fields"
    if "text" in block:
        yield from _text(block["text"], "section")
    for field in fields:
        yield from _text(field, "field")


def _actions(block: Any) -> Iterator[str]:
    if not 0 < len(block["elements"]) <= MOST_ELEMENTS:
        yield "elements of actions"
    if len(block.get("block_id", "")) > BLOCK_ID:
        yield "block_id"
    names = [element["action_id"] for element in block["elements"]]
    if len(names) != len(set(names)):
        yield "two elements have one action_id"
    for element in block["elements"]:
        yield from _text(element["text"], "button")
        if len(element.get("value", "")) > VALUE or len(element["action_id"]) > ACTION_ID:
            yield "value or action_id of a button"
        if element.get("style", "primary") not in {"primary", "danger"}:
            yield f"style {element['style']}"
        for part, most in CONFIRM.items():
            if part in element.get("confirm", {}) and len(element["confirm"][part]["text"]) > most:
                yield f"{part} of a confirmation"


def _text(text: Any, what: str) -> Iterator[str]:
    if text.get("type") not in {"plain_text", "mrkdwn"}:
        yield f"a text of type {text.get('type')}"
    if not 0 < len(text.get("text", "")) <= LONGEST[what]:
        yield f"{what}: {len(text.get('text', ''))} characters"
