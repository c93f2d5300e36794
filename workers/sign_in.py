"""Signing in, put together from the settings; nothing of it where no identity provider is named."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from activities.integrations.web import Documents
from activities.secrets import Secrets
from rollback_manager.errors import Blocked
from starters.gateway.seal import Seal
from starters.gateway.sign_in.flow import SignIn
from starters.gateway.sign_in.id_token import Issuer
from starters.gateway.sign_in.provider import Provider
from workers.settings import SignInSettings

TIMEOUTS = httpx.Timeout(5.0, connect=2.0)
SHORTEST_KEY = 32


class People(NamedTuple):
    """How people are told apart: what seals their cookies, and where they sign in, if they do."""

    seal: Seal
    sign_in: SignIn | None


@asynccontextmanager
async def people(settings: SignInSettings, secrets: Secrets, origin: str) -> AsyncIterator[People]:
    """As the settings say, within the block. origin: of the gateway, as a browser names it."""
    seal = seal_of(settings, secrets)
    if not settings.issuer:
        yield People(seal, None)
        return
    async with signing_in(issuer_of(settings, secrets), seal, origin, _now) as made:
        yield People(seal, made)


def seal_of(settings: SignInSettings, secrets: Secrets) -> Seal:
    """With the key that all gateways have in common, or one of this process."""
    if not settings.key:
        return Seal()
    text = secrets.resolve(settings.key, "key that seals cookies")
    if len(text) < SHORTEST_KEY:
        raise _wrong(f"the key that seals cookies has less than {SHORTEST_KEY} characters", "KEY")
    return Seal(hashlib.sha256(text.encode()).digest())


def issuer_of(settings: SignInSettings, secrets: Secrets) -> Issuer:
    """The provider, its secret resolved."""
    if not settings.client_id:
        raise _wrong("an identity provider is named, and not how it knows us", "CLIENT_ID")
    named = settings.client_secret
    secret = secrets.resolve(named, "secret at the identity provider") if named else ""
    words = settings.model_dump(exclude={"client_secret", "key"})
    return Issuer(**words, client_secret=SecretStr(secret))


def _wrong(what: str, name: str) -> Blocked:
    return Blocked(
        what,
        effect="Nothing was started; production is unchanged.",
        next_step=f"Set ROLLBACK_GATEWAY_SIGN_IN_{name}",
    )


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def signing_in(
    issuer: Issuer, seal: Seal, origin: str, now: Callable[[], datetime]
) -> AsyncIterator[SignIn]:
    """The flow with this provider, within the block. origin: as the provider knows us."""
    async with httpx.AsyncClient(
        timeout=TIMEOUTS, trust_env=False, follow_redirects=False
    ) as client:
        yield SignIn(Provider(issuer, Documents(client), now), seal, origin, now)
