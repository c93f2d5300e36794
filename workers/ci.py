"""The door of CI, put together from its settings: whom it believes, and how keys are fetched."""

import secrets
import time
from urllib.parse import urlsplit

import httpx

from activities.secrets import Secrets
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.ci_rules import Source
from rollback_manager.authority.ci_tokens import Issuer
from rollback_manager.errors import PermanentError, Unreachable
from starters.gateway.ci.door import CiDoor, key_sets
from starters.gateway.replays import Replays
from workers.settings import CiSettings

PATHS = {Source.GITHUB: "/.well-known/jwks", Source.GITLAB: "/oauth/discovery/keys"}
"""Where each keeps its keys, as its documents say; nothing that a token says leads anywhere."""
WITHIN_S = 10.0
"""For the whole of a key set, however slowly it drips: jobs wait for it."""


def door(
    settings: CiSettings, replays: Replays | None, known: Secrets, client: httpx.Client
) -> CiDoor | None:
    """None where no audience is set: then CI cannot sign in."""
    if not settings.is_set_up or replays is None:
        return None
    key = known.resolve(settings.key, "key of CI credentials") if settings.key else ""
    named = issuers(settings)
    return CiDoor(
        issuers=named,
        keys=key_sets(named, lambda url, at_most: fetched(client, url, at_most)),
        replays=replays,
        credentials=Credentials(key.encode() or secrets.token_bytes(32)),
    )


def issuers(settings: CiSettings) -> tuple[Issuer, ...]:
    """Those that are named; PermanentError for an address that anybody could answer at."""
    named = {Source.GITHUB: settings.github, Source.GITLAB: settings.gitlab}
    return tuple(
        Issuer(
            source=source,
            url=_https(source, url),
            audience=settings.audience,
            jwks=url.rstrip("/") + PATHS[source],
        )
        for source, url in named.items()
        if url
    )


def fetched(client: httpx.Client, url: str, at_most: int) -> bytes:
    """The body at a configured address; Unreachable where there is none, or a longer one."""
    body, until = bytearray(), time.monotonic() + WITHIN_S
    try:
        with client.stream("GET", url) as response:
            for part in response.iter_bytes():
                body += part
                if time.monotonic() > until:
                    raise Unreachable(f"{url} has not answered within {WITHIN_S:.0f} s")
                if len(body) > at_most:
                    raise Unreachable(f"{url} answers with more than {at_most} bytes")
    except httpx.HTTPError as error:
        raise Unreachable(f"{url} does not answer: {type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        raise Unreachable(f"{url} answers {response.status_code}")
    return bytes(body)


def _https(source: Source, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname and not parts.query and not parts.username:
        return url
    raise PermanentError(
        f"ROLLBACK_GATEWAY_CI_{source.upper()} is no address of https",
        effect="Nothing was started; production is unchanged.",
        next_step="Write it as in the claim `iss`, such as https://gitlab.example.com",
    )
