"""A status page: started, verified or closed, in words for customers, without our inner names."""

import json
from collections.abc import Callable

import httpx

from activities.integrations.channels.posting import post
from rollback_manager.telling.card import Card
from rollback_manager.telling.channels import StatusPageChannel
from rollback_manager.telling.notices import Milestone, Notice

PUBLIC = frozenset({Milestone.STARTED, Milestone.DONE, Milestone.DID_NOT_STAY})
"""All that customers are told of."""


class StatusPage:
    """Posts `{component, status, message}` with a bearer token."""

    def __init__(
        self, channel: StatusPageChannel, client: httpx.Client, resolve: Callable[[str], str]
    ) -> None:
        self._channel, self._client, self._resolve = channel, client, resolve

    def show(self, card: Card, reference: str, link: str) -> str:
        """Nothing: a page of customers is not edited at every step."""
        return reference

    def say(self, card: Card, news: tuple[Notice, ...], reference: str, link: str) -> None:
        """Those milestones that are public."""
        for notice in news:
            if notice.milestone in PUBLIC:
                self._send(*_words(notice.milestone, card, self._channel.component))

    def _send(self, status: str, message: str) -> None:
        body = {"component": self._channel.component, "status": status, "message": message}
        headers = {"Authorization": f"Bearer {self._resolve(self._channel.token)}"}
        post(
            self._client, self._channel.name, self._channel.url, json.dumps(body).encode(), headers
        )


def _words(milestone: Milestone, card: Card, component: str) -> tuple[str, str]:
    if milestone is Milestone.STARTED:
        return "in_progress", f"We are taking {component} back to an earlier release."
    if milestone is Milestone.DONE and card.is_well:
        return "resolved", f"{component} is back on an earlier release and works normally."
    return "investigating", f"We are still working on {component}."
