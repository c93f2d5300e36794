"""What signing in needs of the outside: two kinds of request to the identity provider."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from rollback_manager.errors import Unreachable

Answer = tuple[int, bytes]
"""Status and body, at most 256 kB of it; a redirect is an answer like any other."""


class Web(Protocol):
    """HTTPS with time-outs and without redirects or proxies. Raises Unreachable."""

    async def get(self, url: str) -> Answer:
        """One document."""
        ...

    async def post(self, url: str, fields: Mapping[str, str]) -> Answer:
        """A form."""
        ...


def document(answer: Answer, what: str) -> dict[str, Any]:
    """The JSON object in an answer; Unreachable where there is none."""
    status, body = answer
    try:
        found = json.loads(body) if status == 200 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise away(f"{what} was answered with status {status} and not as agreed")
    return found


def away(what: str) -> Unreachable:
    """The provider cannot be asked: what that means, and what goes on without it."""
    return Unreachable(
        f"the identity provider does not answer: {what}",
        effect="Nobody can sign in here now. Who is signed in stays signed in; rollbacks go on.",
        next_step="Wait and try again; or by hand: rollback-manager plan SERVICE --env E"
        " --as-commands",
    )
