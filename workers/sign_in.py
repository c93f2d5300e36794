"""Signing in, put together from the settings; nothing of it where no identity provider is named."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import httpx

from activities.integrations.web import Documents
from starters.gateway.seal import Seal
from starters.gateway.sign_in.flow import SignIn
from starters.gateway.sign_in.id_token import Issuer
from starters.gateway.sign_in.provider import Provider

TIMEOUTS = httpx.Timeout(5.0, connect=2.0)


@asynccontextmanager
async def signing_in(
    issuer: Issuer, seal: Seal, origin: str, now: Callable[[], datetime]
) -> AsyncIterator[SignIn]:
    """The flow with this provider, within the block. origin: as the provider knows us."""
    async with httpx.AsyncClient(
        timeout=TIMEOUTS, trust_env=False, follow_redirects=False
    ) as client:
        yield SignIn(Provider(issuer, Documents(client), now), seal, origin, now)
