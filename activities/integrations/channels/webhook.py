"""Any endpoint that takes JSON: signed, so that it knows who speaks and when."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from activities.integrations.channels.posting import post
from rollback_manager.telling.card import Card
from rollback_manager.telling.channels import WebhookChannel
from rollback_manager.telling.notices import Notice

ID, SIGNATURE = "Rollback-Id", "Rollback-Signature"


class Webhook:
    """Gets every milestone with the card of that moment; the same again has the same id."""

    def __init__(
        self, channel: WebhookChannel, client: httpx.Client, resolve: Callable[[str], str]
    ) -> None:
        self._channel, self._client, self._resolve = channel, client, resolve

    def show(self, card: Card, reference: str, link: str) -> str:
        """Nothing to replace: each milestone carries how it stands."""
        return reference

    def say(self, card: Card, news: tuple[Notice, ...], reference: str, link: str) -> None:
        """One request for each."""
        for notice in news:
            self._send(card, notice, link)

    def _send(self, card: Card, notice: Notice, link: str) -> None:
        name = hashlib.sha256(f"{card.rollback}\n{notice.key}".encode()).hexdigest()[:32]
        said = {"id": name, **notice.model_dump(mode="json"), "link": link}
        body = compact({**said, "card": card.model_dump(mode="json")})
        secret = self._resolve(self._channel.secret)
        headers = {ID: name, SIGNATURE: signature(secret, name, int(time.time()), body)}
        post(self._client, self._channel.name, self._channel.url, body, headers)


def signature(secret: str, name: str, at_s: int, body: bytes) -> str:
    """`t=…,v1=…`: HMAC-SHA256 over `id.timestamp.body` (security T06, the way in and out alike)."""
    signed = f"{name}.{at_s}.".encode() + body
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={mac}"


def compact(said: dict[str, Any]) -> bytes:
    """JSON without blanks, in a fixed order."""
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
