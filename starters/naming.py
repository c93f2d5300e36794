"""Names on the command line: which environment, which rollback, who asks, under which key."""

from __future__ import annotations

import getpass
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from rollback_manager.errors import PermanentError
from starters import settings
from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.incidents.triggers import TriggerKind

ROLLBACK = re.compile(r"rollback/([^/\s]+)/([^/\s]+)")
TRIGGERS = (
    "critical_error_rate",
    "latency_degradation",
    "health_check_failure",
    "business_metric_drop",
    "security_incident",
    "data_corruption",
    "performance_regression",
    "feature_regression",
)
"""As `TriggerKind`, whose import would make `--help` slow."""
INCIDENT = re.compile(r"incident/([^/\s]+)/([^/\s]+)/([^/\s]+)")


def environment(given: str | None) -> str:
    """The environment that is meant; there is no guess at one."""
    env = given or settings.read().env
    if env is None:
        raise UsageError(
            "no environment is named",
            effect=UNCHANGED,
            next_step="Name it: --env E, or ROLLBACK_ENV=E for all verbs",
        )
    return named("environment", env)


def named(kind: str, name: str) -> str:
    """The name, if it can be one; whatever else is typed is a usage error."""
    from rollback_manager.contract import checked

    try:
        return checked(kind, name)
    except PermanentError as error:
        raise UsageError(error.what, effect=UNCHANGED, next_step=error.next_step) from error


def rollback(typed: str) -> str:
    """The id of a rollback as `start` and `list` print it."""
    match = ROLLBACK.fullmatch(typed)
    if match is None:
        raise UsageError(
            f"{typed[:80]!r} is not the id of a rollback",
            effect=UNCHANGED,
            next_step="Ids are rollback/ENV/KEY; see them all: rollback-manager list",
        )
    named("environment", match[1])
    named("key", match[2])
    return typed


def release(env: str | None, service: str, version: str) -> tuple[str, str, str]:
    """Environment, service and version of the one release that is meant."""
    return environment(env), named("service", service), named("version", version)


def incident(typed: str) -> tuple[str, str, str]:
    """Environment, service and version in the id of an incident as `incident list` prints it."""
    match = INCIDENT.fullmatch(typed)
    if match is None:
        raise UsageError(
            f"{typed[:80]!r} is not the id of an incident",
            effect=UNCHANGED,
            next_step="Ids are incident/ENV/SERVICE/VERSION: rollback-manager incident list",
        )
    return release(match[1], match[2], match[3])


def trigger(typed: str) -> TriggerKind:
    """One of the eight; whatever else is typed is a usage error that lists them."""
    from rollback_manager.incidents.triggers import TriggerKind

    try:
        return TriggerKind(typed)
    except ValueError:
        raise UsageError(
            f"there is no trigger {typed[:80]!r}",
            effect=UNCHANGED,
            next_step=f"{_meant(typed)}The eight: {', '.join(TRIGGERS)}",
        ) from None


def _meant(typed: str) -> str:
    """Which of the eight may have been meant; empty where none comes close."""
    close = get_close_matches(typed[:80], TRIGGERS, n=1)
    return f"Did you mean {close[0]}? " if close else ""


def services(typed: Sequence[str]) -> tuple[str, ...]:
    """The services that are meant, each once."""
    names = tuple(named("service", name) for name in typed)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{', '.join(twice)}: named twice",
            effect=UNCHANGED,
            next_step="Name each service once; their order is the catalogue's to say.",
        )
    return names


def moment(option: str, typed: str) -> datetime:
    """An absolute time with its zone; whatever else is typed is a usage error."""
    read: datetime | None = None
    with suppress(ValueError):
        read = datetime.fromisoformat(typed)
    if read is None or read.tzinfo is None:
        raise UsageError(
            f"{option} {typed[:80]!r} is no time with a zone",
            effect=UNCHANGED,
            next_step=f"Write day, time and zone: {option} 2026-12-24T18:00:00Z",
        )
    return read.astimezone(UTC)


def new_key(*services: str) -> str:
    """A key that nobody used before, and that says what and when: it becomes part of the id."""
    first, more = services[0], len(services) - 1
    what = f"{first[:27]}-and-{more}-more" if more else first[:40]
    return f"{what}-{datetime.now(UTC):%Y%m%dt%H%M%Sz}-{secrets.token_hex(2)}"


def operator() -> str:
    """Who asks, as far as `local` security knows: the user of this machine."""
    try:
        return f"local:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return f"local:uid-{os.getuid()}"
