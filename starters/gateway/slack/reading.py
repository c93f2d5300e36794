"""What a verified request says: a click or a typed command, by ids alone. Pure."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from rollback_manager.values import Value

MOST_FIELDS = 50
LONGEST = 2000
"""Of one value; Slack's own limit of a button's, and enough for a command."""


class Unreadable(Exception):
    """Signed, and yet nothing that this door knows."""


class Sender(Value):
    """From where it came. Names are left out: ids alone tell people and workspaces apart."""

    team: str
    user: str
    app: str
    channel: str = ""
    enterprise: str = ""
    response_url: str = ""


class Click(Value):
    """A button. ts: of the message it stood on."""

    sender: Sender
    action: str
    value: str = ""
    ts: str = ""


class Typed(Value):
    """A slash command. trigger: one per use, so that a second delivery is the same command."""

    sender: Sender
    text: str
    trigger: str = ""


def read(body: bytes) -> Click | Typed:
    """Of a form. Raises Unreadable."""
    try:
        form = dict(parse_qsl(body.decode(), max_num_fields=MOST_FIELDS, strict_parsing=True))
        payload = json.loads(form["payload"]) if "payload" in form else None
    except (ValueError, RecursionError) as error:
        raise Unreadable("no form of Slack's") from error
    return typed(form) if payload is None else click(payload)


def click(payload: Any) -> Click:
    """Of a payload `block_actions`, as it stands in a form or in an envelope."""
    if _text(payload, "type") != "block_actions":
        raise Unreadable("no click")
    actions = payload.get("actions") if isinstance(payload, dict) else None
    first = actions[0] if isinstance(actions, list) and actions else None
    sender = Sender(
        team=_text(payload, "team", "id"),
        user=_text(payload, "user", "id"),
        app=_text(payload, "api_app_id"),
        channel=_text(payload, "channel", "id"),
        enterprise=_text(payload, "enterprise", "id"),
        response_url=_text(payload, "response_url"),
    )
    return Click(
        sender=sender,
        action=_text(first, "action_id"),
        value=_text(first, "value"),
        ts=_text(payload, "container", "message_ts"),
    )


def typed(form: Any) -> Typed:
    """Of the fields of a slash command."""
    sender = Sender(
        team=_text(form, "team_id"),
        user=_text(form, "user_id"),
        app=_text(form, "api_app_id"),
        channel=_text(form, "channel_id"),
        enterprise=_text(form, "enterprise_id"),
        response_url=_text(form, "response_url"),
    )
    return Typed(sender=sender, text=_text(form, "text"), trigger=_text(form, "trigger_id"))


def _text(node: Any, *path: str) -> str:
    """The text at that place; empty where there is none, or something else."""
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node[:LONGEST] if isinstance(node, str) else ""
