"""What people are shown of a rollback: all that channels are sent, and all pages and answers."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path
from typing import Any

import httpx

from demo.slack import SlackStandIn
from tests.activities.integrations.channels.test_channels import Mailbox, Receiver, Relay, email
from tests.canaries import Surface
from tests.told import SLACK_TOKEN, slack

HOOK_SECRET, PASSWORD = "TEST_HOOK_SECRET", "P"
"""Names of variables."""
PAGES = (
    "/", "/{id}", "/{id}/live", "/{id}/approve", "/{id}/abort", "/{id}/report",
    "/{id}/report.html", "/{id}/report.md", "/{id}/report.json", "/{id}/picture/{service}.svg",
    "/services", "/services/test/{service}", "/incidents", "/{incident}",
    "/rollback/test/nobody-knows", "/nowhere",
)  # fmt: skip
API = tuple(
    f"/api/v1{path}"
    for path in (
        "/rollbacks", "/{id}", "/{id}/report", "/{id}/report?output=md",
        "/{id}/report?output=html", "/services", "/environments/test/services/{service}/releases",
        "/environments/test/watch", "/stays", "/incidents", "/{incident}",
        "/rollback/test/nobody-knows", "/rollbacks?limit=-1",
    )
)  # fmt: skip
AWAY = (
    "/{id}", "/{id}/live", "/{id}/approve", "/{id}/abort", "/api/v1/{id}", "/api/v1/{id}/events",
)  # fmt: skip
"""Those that ask the rollback itself."""


@dataclass
class Audience:
    """Stand-ins of every kind of channel; each keeps what it is sent."""

    slack: SlackStandIn
    hooks: Receiver
    relay: Relay
    mailbox: Mailbox
    folder: Path
    answers: list[str] = field(default_factory=list)
    """What Slack was answered at once, to commands."""

    def notifications(self) -> tuple[dict[str, object], ...]:
        """As a catalogue names them."""
        url, secret = self.hooks.url, f"env:{HOOK_SECRET}"
        mail = email(self.relay, self.folder).model_dump(mode="json")
        return (
            slack(self.slack),
            mail,
            {"kind": "webhook", "url": url, "secret": secret},
            {"kind": "pagerduty", "url": url, "routing_key": secret},
            {"kind": "status_page", "url": url, "token": secret, "component": "Shop"},
        )

    def surfaces(self) -> dict[str, Surface]:
        """Bodies as they were sent, and every message as it is shown now."""
        told = self.slack
        return {
            "chat: bodies": _lines([call.body for call in told.calls]),
            "chat: messages": _lines(told.messages.values()),
            "chat: ephemeral": _lines(told.ephemeral),
            "chat: responses": _lines(told.responses),
            "chat: answers": "\n".join(self.answers),
            "other channels": b"\n".join(body for _, body in self.hooks.got),
            "mail": b"\n".join(map(_letter, self.mailbox.letters)),
        }


@contextmanager
def audience(folder: Path, setenv: Callable[[str, str], None]) -> Iterator[Audience]:
    """Listening within the block."""
    mailbox = Mailbox()
    with SlackStandIn() as stand_in, Receiver() as hooks:
        password = "password-of-the-relay"  # noqa: S105 -- of a stand-in
        relay = Relay(mailbox, folder, password)
        for name, value in (
            (SLACK_TOKEN, stand_in.token), (HOOK_SECRET, "of-the-hook"), (PASSWORD, password)
        ):  # fmt: skip
            setenv(name, value)
        thread = threading.Thread(target=hooks.serve_forever, args=(0.05,))
        thread.start()
        relay.start()
        try:
            yield Audience(stand_in, hooks, relay, mailbox, folder)
        finally:
            relay.stop()
            hooks.shutdown()
            thread.join()


async def pages(
    http: httpx.AsyncClient, when: str, paths: Iterable[str], **names: str
) -> dict[str, Surface]:
    """The answer of each, with its headers. names: id, service, incident."""
    filled = [one.format(**names) for one in paths]
    return {f"{when}: {path}": _whole(await http.get(path)) for path in filled}


def _whole(answer: httpx.Response) -> str:
    return f"{answer.status_code} {dict(answer.headers)}\n{answer.text}"


def _letter(sent: str) -> bytes:
    """As it was sent, and its text without the coding in which mail breaks its lines."""
    text = message_from_string(sent).get_payload(decode=True)
    assert isinstance(text, bytes)
    return sent.encode() + text


def _lines(documents: Iterable[Any]) -> str:
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in documents)
