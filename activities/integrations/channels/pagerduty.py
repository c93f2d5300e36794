"""PagerDuty, Events API v2: somebody is called while somebody is needed, and for no longer."""

import json
from collections.abc import Callable

import httpx

from activities.integrations.channels.posting import post
from rollback_manager.rendering import letters
from rollback_manager.telling.card import Card
from rollback_manager.telling.channels import PagerDutyChannel
from rollback_manager.telling.notices import Notice

SUMMARY = 1024
"""Characters of an alert's summary (PagerDuty's own limit)."""


class PagerDuty:
    """One alert at a time per rollback, known by `dedup_key`. A reference is the last action."""

    def __init__(
        self, channel: PagerDutyChannel, client: httpx.Client, resolve: Callable[[str], str]
    ) -> None:
        self._channel, self._client, self._resolve = channel, client, resolve

    def show(self, card: Card, reference: str, link: str) -> str:
        """Trigger, acknowledge or resolve, whenever that is another one than before."""
        action = _action(card, reference)
        if action != reference:
            self._send(action, card, link)
        return action

    def say(self, card: Card, news: tuple[Notice, ...], reference: str, link: str) -> None:
        """Milestones wake nobody."""

    def _send(self, action: str, card: Card, link: str) -> None:
        event = {
            "routing_key": self._resolve(self._channel.routing_key),
            "event_action": action,
            "dedup_key": card.rollback,
            "client": "rollback-manager",
            "links": [{"href": link, "text": "Open plan"}] if link else [],
            "payload": {
                "summary": f"{card.headline} {card.stands}"[:SUMMARY],
                "source": card.env,
                "severity": "critical",
                "custom_details": {"text": letters.text(card, (), link)},
            },
        }
        post(self._client, self._channel.name, self._channel.url, json.dumps(event).encode(), {})


def _action(card: Card, before: str) -> str:
    """Resolved once nobody is needed, so that the next need calls anew; nothing before a need."""
    if card.needs_somebody:
        return "acknowledge" if card.question and card.decisions and before else "trigger"
    return "resolve" if before else ""
