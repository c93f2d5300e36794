"""Slack: one message per rollback, edited; milestones in its thread; answers for one person."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from activities.integrations.channels.posting import post, refused
from rollback_manager.errors import PermanentError, TemporaryError
from rollback_manager.rendering import chat
from rollback_manager.rendering.chat import Message
from rollback_manager.telling.card import Card
from rollback_manager.telling.channels import SlackChannel
from rollback_manager.telling.notices import Notice

Resolve = Callable[[str], str]
"""A reference → the secret; raises PermanentError, which names the reference alone."""

GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Somebody deleted the message, or nobody may edit it any more: a new one takes its place."""
FOR_NOW = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable"})

PLAIN = {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
"""Nothing in a message is looked up, mentioned or fetched because somebody wrote it."""


class Slack:
    """One channel of one workspace. A reference is `channel/ts` of the message."""

    def __init__(self, channel: SlackChannel, client: httpx.Client, resolve: Resolve) -> None:
        self._channel = channel
        self._api = _Api(channel.name, channel.api, client, lambda: resolve(channel.token))

    def show(self, card: Card, reference: str, link: str) -> str:
        """Edit the message, or post it where there is none."""
        message = chat.message(card, link)
        if reference:
            where, _, ts = reference.partition("/")
            try:
                self._api.call("chat.update", {"channel": where, "ts": ts, **_body(message)})
            except _Gone:
                pass
            else:
                return reference
        posted = self._api.call(
            "chat.postMessage", {"channel": self._channel.channel, **_body(message)}
        )
        return f"{posted.get('channel', self._channel.channel)}/{posted.get('ts', '')}"

    def say(self, card: Card, news: tuple[Notice, ...], reference: str, link: str) -> None:
        """Each milestone in the message's thread."""
        where, _, ts = reference.partition("/")
        for notice in news:
            body = {"channel": where, "thread_ts": ts, **_body(chat.line(notice))}
            self._api.call("chat.postMessage", body)


class SlackAnswers:
    """What the gateway tells the person who clicked or typed, and nobody else."""

    def __init__(
        self, api: str, token: Callable[[], str], client: httpx.Client, hooks: str
    ) -> None:
        """hooks: the only place to which a `response_url` may lead, such as hooks.slack.com."""
        self._api = _Api("slack", api, client, token)
        self._client = client
        self._hooks = urlsplit(hooks)

    def explain(self, channel: str, user: str, text: str, link: str = "") -> None:
        """An ephemeral message in that channel, after a click."""
        body = {"channel": channel, "user": user, **_body(chat.explained(text, link))}
        self._api.call("chat.postEphemeral", body)

    def respond(self, response_url: str, text: str, link: str = "") -> None:
        """A late answer to a slash command. Nothing is sent to any other host than Slack's."""
        asked = urlsplit(response_url)
        if (asked.scheme, asked.netloc) != (self._hooks.scheme, self._hooks.netloc):
            raise refused("slack", "a response_url leads elsewhere; nothing was sent there")
        body = {"response_type": "ephemeral", **_body(chat.explained(text, link))}
        post(self._client, "slack", response_url, json.dumps(body).encode(), {})


class _Gone(PermanentError):
    """There is no such message any more."""


class _Api:
    """Slack's Web API: HTTP 200 says nothing yet, `ok` does."""

    def __init__(self, name: str, api: str, client: httpx.Client, token: Callable[[], str]) -> None:
        self._name, self._api, self._client, self._token = name, api.rstrip("/"), client, token

    def call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the method answers. Raises by what its `error` means."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        url = f"{self._api}/{method}"
        raw = post(self._client, self._name, url, json.dumps(body).encode(), headers)
        answer = _parsed(raw)
        if answer.get("ok") is True:
            return answer
        because = str(answer.get("error", "an answer that is not Slack's"))
        if because in GONE:
            raise _Gone(f"{self._name}: {because}")
        if because in FOR_NOW:
            raise TemporaryError(f"{self._name}: {method}: {because}", retry_after_s=1)
        raise refused(self._name, f"{method}: {because}")


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _body(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": message.blocks, **PLAIN}
