"""What the catalogue names under `notifications` → objects that tell people."""

from collections.abc import Callable
from functools import cache
from typing import assert_never

import httpx

from activities import notifications
from activities.integrations.channels import Email, PagerDuty, Slack, StatusPage, Webhook
from activities.notifications import Channels
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import PermanentError
from rollback_manager.telling.channels import (
    Channel,
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    StatusPageChannel,
    WebhookChannel,
)


def channels(catalogue: Catalogue, client: httpx.Client, resolve: Callable[[str], str]) -> Channels:
    """By environment and name; resolve: a reference → its secret, asked anew for each message."""

    @cache
    def channel(env: str, name: str) -> notifications.Channel:
        environment = catalogue.environments.get(env)
        for one in environment.notifications if environment else ():
            if one.name == name:
                return _made(one, client, resolve)
        raise _not_there(env, name)

    return channel


def no_channels(env: str, name: str) -> notifications.Channel:
    """Where the catalogue names none."""
    raise _not_there(env, name)


def _made(
    one: Channel, client: httpx.Client, resolve: Callable[[str], str]
) -> notifications.Channel:
    match one:
        case SlackChannel():
            return Slack(one, client, resolve)
        case WebhookChannel():
            return Webhook(one, client, resolve)
        case EmailChannel():
            return Email(one, resolve)
        case PagerDutyChannel():
            return PagerDuty(one, client, resolve)
        case StatusPageChannel():
            return StatusPage(one, client, resolve)
        case never:
            assert_never(never)


def _not_there(env: str, name: str) -> PermanentError:
    return PermanentError(
        f"{name}: no longer among the notifications of {env}",
        effect="Nobody was told there. The rollback goes on.",
        next_step="Name it in the catalogue again, or leave it so for the next rollback.",
    )
