"""People in the stand-in's chat: what Slack sends when they type or click, signed as it signs."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class SlackPerson:
    """A member of the workspace. Names in it mean nothing: whoever asks goes by ids."""

    user: str = "UANA"
    team: str = "T1"
    app: str = "A1"
    channel: str = "C0OPS"
    enterprise: str = ""
    hooks: str = "https://hooks.slack.com"
    """Where `response_url` leads: the stand-in's own address where answers are to be seen."""

    def click(self, action: str, value: str, message: dict[str, Any] | None = None) -> bytes:
        """The body of a button's click (`block_actions`)."""
        shown = message or {}
        payload = {
            "type": "block_actions",
            "user": {"id": self.user, "username": "somebody", "team_id": self.team},
            "api_app_id": self.app,
            "token": "deprecated",
            "container": {"type": "message", "message_ts": shown.get("ts", "1.1")},
            "trigger_id": _trigger(),
            "team": {"id": self.team, "domain": "example"},
            "enterprise": {"id": self.enterprise} if self.enterprise else None,
            "is_enterprise_install": False,
            "channel": {"id": self.channel, "name": "ops"},
            "message": {"ts": shown.get("ts", "1.1"), "type": "message"},
            "response_url": f"{self.hooks}/response/{self.user}",
            "actions": [
                {"type": "button", "action_id": action, "block_id": "vote", "value": value}
            ],
        }
        return urlencode({"payload": json.dumps(payload)}).encode()

    def command(self, text: str, command: str = "/rollback") -> bytes:
        """The body of a slash command."""
        return urlencode(
            {
                "token": "deprecated",
                "team_id": self.team,
                "team_domain": "example",
                "channel_id": self.channel,
                "channel_name": "ops",
                "user_id": self.user,
                "user_name": "somebody",
                "command": command,
                "text": text,
                "api_app_id": self.app,
                "is_enterprise_install": "false",
                "response_url": f"{self.hooks}/response/{self.user}",
                "trigger_id": _trigger(),
            }
        ).encode()


def _trigger() -> str:
    """Slack gives each click and each command one of its own."""
    return f"1.2.{secrets.token_hex(8)}"


def signed(secret: str, body: bytes, at_s: float) -> dict[str, str]:
    """The headers with which Slack sends that body."""
    stamp = str(int(at_s))
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={mac.hexdigest()}",
    }


def pushed(body: bytes, envelope: str) -> dict[str, Any]:
    """The same body as a Socket Mode envelope."""
    form = dict(parse_qsl(body.decode()))
    interactive = "payload" in form
    return {
        "type": "interactive" if interactive else "slash_commands",
        "envelope_id": envelope,
        "payload": json.loads(form["payload"]) if interactive else form,
        "accepts_response_payload": not interactive,
    }
