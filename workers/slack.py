"""Slack's way in, put together from its settings; every mistake in them stops the start."""

import re
from collections.abc import Callable

from activities.integrations.channels import SlackAnswers
from activities.integrations.slack_socket import SlackSocket
from rollback_manager.errors import PermanentError
from rollback_manager.telling.channels import REFERENCE as WRITTEN
from starters.gateway.slack.door import Connection, SlackDoor
from workers import materials
from workers.settings import SlackSettings

Resolve = Callable[[str], str]
"""A reference → its secret."""
REFERENCE = re.compile(WRITTEN)
ID = re.compile(r"[A-Z][A-Z0-9]{1,30}")


def door(settings: SlackSettings, resolve: Resolve, pages: str = "") -> SlackDoor | None:
    """None where no secret is set: then there is no way in. pages: where people find them."""
    if not settings.is_set_up:
        return None
    secrets = _references(settings.signing_secrets)
    token = _reference("TOKEN", settings.token)
    client = materials.http_client()
    return SlackDoor(
        teams=_ids("TEAMS", settings.teams),
        apps=_ids("APPS", settings.apps),
        enterprises=_ids("ENTERPRISES", settings.enterprises, may_be_empty=True),
        answers=SlackAnswers(settings.api, lambda: resolve(token), client, settings.hooks),
        secrets=(lambda: tuple(resolve(one) for one in secrets)) if secrets else None,
        pages=pages,
        connection=_connection(settings, resolve),
    )


def _connection(settings: SlackSettings, resolve: Resolve) -> Connection | None:
    if not settings.app_token:
        return None
    token = resolve(_reference("APP_TOKEN", settings.app_token))
    return SlackSocket(settings.api, token)


def _references(text: str) -> tuple[str, ...]:
    return tuple(_reference("SIGNING_SECRETS", one) for one in text.split(",") if one.strip())


def _reference(name: str, text: str) -> str:
    reference = text.strip()
    if REFERENCE.fullmatch(reference):
        return reference
    raise _wrong(name, "is no reference", "env:NAME, or file:, aws: or kubernetes:")


def _ids(name: str, text: str, *, may_be_empty: bool = False) -> frozenset[str]:
    ids = frozenset(one.strip() for one in text.split(",") if one.strip())
    if all(ID.fullmatch(one) for one in ids) and (ids or may_be_empty):
        return ids
    raise _wrong(name, "names no ids", "T024BE7LD, more than one by commas")


def _wrong(name: str, because: str, example: str) -> PermanentError:
    setting = f"ROLLBACK_GATEWAY_SLACK_{name}"
    return PermanentError(
        f"{setting} {because}",
        effect="Nothing was started; production is unchanged.",
        next_step=f"Write it so: {setting}={example}",
    )
